"""Serving: the worker's engine against what an ordinary bot does, on one random model with four LoRA adapters.

    python -m bench.serving                                                      # the figures of docs/measurements.md
    python -m bench.serving --people 8 --requests 4 8 12 --repeats 2             # a look, in about a minute

A 26.7M Llama shape (hidden 384, 8 layers, vocabulary 16,384), adapters of rank 16 on all linear layers, about 120
prompt and 48 new tokens a person, greedy. Compared, interleaved, in one process: one request at a time with
`set_adapter`; batches grouped by adapter; PEFT's mixed batch; the engine. Printed are medians and ratios of tokens a
second, whether every row of the engine equals one at a time, and first token and latency of each under Poisson
arrivals (`bench.arrivals`); one at a time cannot keep up with 4 a second, so runs are bounded by requests, and there
the figures grow with their number. Loopback is not used; weights are random and live in a temporary folder.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, StoppingCriteria, StoppingCriteriaList
from transformers.utils import logging as transformers_logging

from bench.arrivals import Ask, Batches, Kind, Run, Seen, Server, alike, arrive, moments, table
from models.engine import Finished, FirstToken, Row
from models.engines import rows as engine_rows
from models.engines.loading import Base
from models.engines.transformers import TransformersEngine
from models.prompt import Prompt
from storage.contracts import Sampling, Turn
from storage.presets import load_presets

ADAPTERS = 4
NEW_TOKENS = 48
GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=NEW_TOKENS)
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PRESETS = load_presets()


class Numbers:
    """Stands for a tokenizer: texts are not looked at here."""

    chat_template = "numbers"
    added_tokens_decoder: ClassVar[dict[int, Any]] = {}
    eos_token = ""

    def decode(self, tokens: list[int], **_: Any) -> str:
        return " ".join(map(str, tokens))


class Prompted(TransformersEngine):
    """The engine with ready token lists for prompts: a prompt's text is its number."""

    asks: Sequence[Ask] = ()

    def _encode(self, prompt: Prompt, new_tokens: int) -> list[int]:
        return list(self.asks[int(prompt.turns[0].text)].ids)


def config() -> LlamaConfig:
    """The 26.7M shape."""
    return LlamaConfig(
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=8,
        num_attention_heads=6,
        num_key_value_heads=6,
        vocab_size=16384,
        max_position_embeddings=512,
        eos_token_id=None,
        bos_token_id=None,
    )


def make(folder: Path, dtype: torch.dtype) -> tuple[Any, TransformersEngine]:
    """(PEFT model, engine) with equal weights and adapters."""
    torch.manual_seed(0)
    llama: Any = LlamaForCausalLM
    llama(config()).to(dtype).save_pretrained(folder / "base")
    for index in range(ADAPTERS):
        lora = LoraConfig(r=16, lora_alpha=32, target_modules=LINEAR, task_type="CAUSAL_LM", init_lora_weights=False)
        get_peft_model(llama.from_pretrained(folder / "base"), lora).save_pretrained(str(folder / f"a{index}"))
    models = [llama.from_pretrained(folder / "base", dtype=dtype).eval() for _ in range(2)]
    engine = Prompted(Base(models[0], Numbers(), "bench", 512, frozenset()), PRESETS)
    tuned = PeftModel.from_pretrained(models[1], folder / "a0", adapter_name="a0")
    for index in range(ADAPTERS):
        engine.load_adapter(f"a{index}", folder / f"a{index}")
        if index:
            tuned.load_adapter(str(folder / f"a{index}"), adapter_name=f"a{index}")
    return tuned.to(dtype).eval(), engine


def people(count: int) -> list[Ask]:
    """Requests of 100 to 140 prompt tokens, adapters in turn."""
    chance = random.Random(1)
    return [
        Ask(index, index % ADAPTERS, tuple(chance.randrange(16384) for _ in range(chance.randint(100, 140))))
        for index in range(count)
    ]


class Watching(StoppingCriteria):
    """Reports the first token of all rows and stops nothing."""

    def __init__(self, asks: Sequence[Ask], seen: Seen) -> None:
        self.left = [ask.number for ask in asks]
        self.seen = seen

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        while self.left:
            self.seen(self.left.pop(), "first")
        return torch.zeros(len(input_ids), dtype=torch.bool)


def unseen(number: int, kind: Kind) -> None:
    """Nobody looks."""


def generate(model: Any, asks: Sequence[Ask], seen: Seen, **extra: Any) -> dict[int, list[int]]:
    """The library's own greedy generation of a left-padded batch."""
    watching = StoppingCriteriaList([Watching(asks, seen)])
    longest = max(len(ask.ids) for ask in asks)
    ids = torch.tensor([[0] * (longest - len(ask.ids)) + list(ask.ids) for ask in asks])
    mask = torch.tensor([[0] * (longest - len(ask.ids)) + [1] * len(ask.ids) for ask in asks])
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            pad_token_id=0,
            stopping_criteria=watching,
            **extra,
        )
    return {ask.number: row[longest:].tolist() for ask, row in zip(asks, output, strict=True)}


def one_at_a_time(model: Any, asks: Sequence[Ask], seen: Seen = unseen) -> dict[int, list[int]]:
    """What an ordinary bot does."""
    found: dict[int, list[int]] = {}
    for ask in asks:
        model.set_adapter(f"a{ask.adapter}")
        found |= generate(model, [ask], seen)
    return found


def grouped(model: Any, asks: Sequence[Ask], seen: Seen = unseen) -> dict[int, list[int]]:
    """One batch for each adapter."""
    found: dict[int, list[int]] = {}
    for index in range(ADAPTERS):
        group = [ask for ask in asks if ask.adapter == index]
        model.set_adapter(f"a{index}")
        found |= generate(model, group, seen) if group else {}
    return found


def mixed(model: Any, asks: Sequence[Ask], seen: Seen = unseen) -> dict[int, list[int]]:
    """PEFT's own mixed batch."""
    return generate(model, asks, seen, adapter_names=[f"a{ask.adapter}" for ask in asks])


def row(ask: Ask) -> Row:
    """The request as the engine takes it."""
    prompt = Prompt((Turn(role="user", text=str(ask.number)),), PRESETS.presets[0], 2)
    return Row(str(ask.number), prompt, GREEDY, 0, f"a{ask.adapter}")


def with_engine(engine: TransformersEngine, asks: Sequence[Ask]) -> dict[int, list[int]]:
    """All at once through the engine."""
    engine.admit([row(ask) for ask in asks])
    found: dict[int, list[int]] = {}
    while engine.running:
        for event in engine.step():
            if isinstance(event, Finished):
                found[int(event.row_id)] = [int(token) for token in event.text.split()]
    return found


def throughput(ways: dict[str, Callable[[], dict[int, list[int]]]], repeats: int, tokens: int) -> None:
    """Tokens a second of every way, interleaved, and ratios to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, dict[int, list[int]]] = {}
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            texts[name] = way()
            seconds[name].append(time.perf_counter() - started)
    first, *_ = ways
    print(f"{'':28}{'tokens/s':>10}{'ratio':>8}{'equal rows':>12}")
    for name, spent in seconds.items():
        rate = tokens / statistics.median(spent)
        ratio = statistics.median(a / b for a, b in zip(seconds[first], spent, strict=True))
        equal = sum(texts[name][key] == value for key, value in texts[first].items())
        print(f"{name:28}{rate:10.0f}{ratio:8.1f}{equal:8}/{len(texts[first])}")


class Slots:
    """The worker's engine: admits between decode steps."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine = engine

    @property
    def busy(self) -> bool:
        return self.engine.running > 0

    def serve(self, asks: Sequence[Ask], seen: Seen) -> None:
        if asks:
            self.engine.admit([row(ask) for ask in asks])
        for event in self.engine.step():
            seen(int(event.row_id), "first" if isinstance(event, FirstToken) else "done")


def servers(model: Any, engine: TransformersEngine, limit: int) -> dict[str, Server]:
    """All ways to serve what arrives; batches of at most `limit`."""
    return {
        "engine": Slots(engine),
        "one at a time, set_adapter": Batches(
            lambda waiting: waiting[:1], lambda asks, seen: one_at_a_time(model, asks, seen)
        ),
        "grouped by adapter": Batches(
            lambda waiting: alike(waiting)[:limit], lambda asks, seen: grouped(model, asks, seen)
        ),
        "PEFT mixed batch": Batches(lambda waiting: waiting[:limit], lambda asks, seen: mixed(model, asks, seen)),
    }


def latencies(
    ways: Mapping[str, Server], rates: Sequence[float], requests: Sequence[int], repeats: int, minutes: float
) -> dict[tuple[float, str], list[Run]]:
    """Runs of every way at every rate, interleaved; each repetition has arrivals of its own, the same for all ways.

    A repetition that would not end within `minutes` is not begun; the first always is.
    """
    runs: dict[tuple[float, str], list[Run]] = {(rate, name): [] for rate in rates for name in ways}
    began = time.perf_counter()
    for repeat in range(repeats):
        spent = time.perf_counter() - began
        if repeat and spent * (repeat + 1) / repeat > minutes * 60:
            break
        for rate, count in zip(rates, requests, strict=True):
            at = moments(count, rate, seed=2 + repeat)
            for name, server in ways.items():
                runs[rate, name].append(arrive(server, Prompted.asks[:count], at))
    return runs


def main() -> None:
    """Both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=32, help="requests at once, and the largest batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs="*", default=[1, 4, 8])
    parser.add_argument("--requests", type=int, nargs="*", default=[16, 32, 48], help="how many at each rate")
    parser.add_argument("--minutes", type=float, default=20, help="for arrivals; what would go beyond is left out")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=0, help="0: torch decides")
    options = parser.parse_args()
    if len(options.rates) != len(options.requests):
        parser.error("--requests needs a number for each of --rates")
    if options.threads:
        torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    logging: Any = transformers_logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # Random weights loop; every way must make the same number of tokens.
    engine_rows.LOOP_FROM = 10**9
    with tempfile.TemporaryDirectory() as folder:
        model, engine = make(Path(folder), getattr(torch, options.dtype))
        asks = people(options.people)
        Prompted.asks = people(max(options.people, *options.requests, 0))
        ways: dict[str, Callable[[], dict[int, list[int]]]] = {
            "one at a time, set_adapter": lambda: one_at_a_time(model, asks),
            "grouped by adapter": lambda: grouped(model, asks),
            "PEFT mixed batch": lambda: mixed(model, asks),
            "engine": lambda: with_engine(engine, asks),
        }
        with_engine(engine, asks[:4])
        mixed(model, asks[:4])
        throughput(ways, options.repeats, options.people * NEW_TOKENS)
        runs = latencies(
            servers(model, engine, options.people), options.rates, options.requests, options.repeats, options.minutes
        )
        print(f"\nrepetitions: {min(map(len, runs.values()), default=0)}; seconds, median (least … greatest)")
        print("\n".join(table(runs)))


if __name__ == "__main__":
    main()
