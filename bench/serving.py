"""Serving: the worker's engine against what an ordinary bot does, on one random model with four LoRA adapters.

    python -m bench.serving                                                        # a reduced run
    python -m bench.serving --people 32 --repeats 5 --rates 1 4 8 --seconds 15     # the figures of docs/measurements.md

A 26.7M Llama shape (hidden 384, 8 layers, vocabulary 16,384), adapters of rank 16 on all linear layers, about 120
prompt and 48 new tokens a person, greedy. Compared, interleaved, in one process: one request at a time with
`set_adapter`; batches grouped by adapter; PEFT's mixed batch; the engine. Printed are medians and ratios of tokens a
second, whether every row of the engine equals one at a time, and first token and latency under Poisson arrivals
against static mixed batches. Loopback is not used; weights are random and live in a temporary folder.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from models.engine import Event, Finished, FirstToken, Row
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


@dataclass(frozen=True)
class Ask:
    """One person's request: an adapter's number and the prompt's tokens."""

    number: int
    adapter: int
    ids: tuple[int, ...]


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
    LlamaForCausalLM(config()).to(dtype).save_pretrained(folder / "base")
    for index in range(ADAPTERS):
        lora = LoraConfig(r=16, lora_alpha=32, target_modules=LINEAR, task_type="CAUSAL_LM", init_lora_weights=False)
        get_peft_model(LlamaForCausalLM.from_pretrained(folder / "base"), lora).save_pretrained(folder / f"a{index}")
    models = [LlamaForCausalLM.from_pretrained(folder / "base", dtype=dtype).eval() for _ in range(2)]
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


def generate(model: Any, asks: Sequence[Ask], **extra: Any) -> dict[int, list[int]]:
    """The library's own greedy generation of a left-padded batch."""
    longest = max(len(ask.ids) for ask in asks)
    ids = torch.tensor([[0] * (longest - len(ask.ids)) + list(ask.ids) for ask in asks])
    mask = torch.tensor([[0] * (longest - len(ask.ids)) + [1] * len(ask.ids) for ask in asks])
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=0, **extra
        )
    return {ask.number: row[longest:].tolist() for ask, row in zip(asks, output, strict=True)}


def one_at_a_time(model: Any, asks: Sequence[Ask]) -> dict[int, list[int]]:
    """What an ordinary bot does."""
    found: dict[int, list[int]] = {}
    for ask in asks:
        model.set_adapter(f"a{ask.adapter}")
        found |= generate(model, [ask])
    return found


def grouped(model: Any, asks: Sequence[Ask]) -> dict[int, list[int]]:
    """One batch for each adapter."""
    found: dict[int, list[int]] = {}
    for index in range(ADAPTERS):
        group = [ask for ask in asks if ask.adapter == index]
        model.set_adapter(f"a{index}")
        found |= generate(model, group) if group else {}
    return found


def mixed(model: Any, asks: Sequence[Ask]) -> dict[int, list[int]]:
    """PEFT's own mixed batch."""
    return generate(model, asks, adapter_names=[f"a{ask.adapter}" for ask in asks])


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


class EngineServer:
    """Admits between decode steps."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine = engine

    def serve(self, asks: list[Ask]) -> list[tuple[int, str]]:
        if asks:
            self.engine.admit([row(ask) for ask in asks])
        return [(int(event.row_id), _kind(event)) for event in self.engine.step()]

    @property
    def busy(self) -> bool:
        return self.engine.running > 0


class StaticServer:
    """Runs a mixed batch to its end before it takes the next; the first token is seen at the end."""

    busy = False

    def __init__(self, model: Any, limit: int) -> None:
        self.model = model
        self.limit = limit
        self.waiting: deque[Ask] = deque()

    def serve(self, asks: list[Ask]) -> list[tuple[int, str]]:
        self.waiting += asks
        batch = [self.waiting.popleft() for _ in range(min(self.limit, len(self.waiting)))]
        self.busy = bool(self.waiting)
        done = mixed(self.model, batch) if batch else {}
        return [(number, kind) for number in done for kind in ("first", "done")]


def _kind(event: Event) -> str:
    return "first" if isinstance(event, FirstToken) else "done"


def arrivals(server: EngineServer | StaticServer, asks: Sequence[Ask], rate: float) -> tuple[list[float], list[float]]:
    """(seconds to first token, seconds to the end) of requests that arrive as a Poisson process in real time."""
    chance = random.Random(2)
    due: deque[tuple[float, Ask]] = deque()
    moment = 0.0
    for ask in asks:
        moment += chance.expovariate(rate)
        due.append((moment, ask))
    born = {ask.number: at for at, ask in due}
    first: dict[int, float] = {}
    done: dict[int, float] = {}
    started = time.perf_counter()
    while len(done) < len(asks):
        elapsed = time.perf_counter() - started
        fresh: list[Ask] = []
        while due and due[0][0] <= elapsed:
            fresh.append(due.popleft()[1])
        if not fresh and not server.busy:
            time.sleep(min(0.002, max(0.0, due[0][0] - elapsed)) if due else 0)
            continue
        for number, kind in server.serve(fresh):
            now = time.perf_counter() - started
            (first if kind == "first" else done)[number] = now - born[number]
    return list(first.values()), list(done.values())


def quantiles(values: Sequence[float]) -> str:
    """p50 and p95."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):8.2f}{ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]:8.2f}"


def main() -> None:
    """Both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rates", type=float, nargs="*", default=[4])
    parser.add_argument("--seconds", type=float, default=10, help="how long requests arrive at each rate")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=0, help="0: torch decides")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    # Random weights loop; every way must make the same number of tokens.
    engine_rows.LOOP_FROM = 10**9  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        model, engine = make(Path(folder), getattr(torch, options.dtype))
        asks = people(options.people)
        Prompted.asks = people(max(options.people, *(int(rate * options.seconds) for rate in options.rates), 1))
        ways: dict[str, Callable[[], dict[int, list[int]]]] = {
            "one at a time, set_adapter": lambda: one_at_a_time(model, asks),
            "grouped by adapter": lambda: grouped(model, asks),
            "PEFT mixed batch": lambda: mixed(model, asks),
            "engine": lambda: with_engine(engine, asks),
        }
        with_engine(engine, asks[:4])
        mixed(model, asks[:4])
        throughput(ways, options.repeats, options.people * NEW_TOKENS)
        print(f"\n{'arrivals a second':28}{'first token p50, p95':>22}{'whole answer p50, p95':>24}")
        for rate in options.rates:
            batch = Prompted.asks[: max(4, int(rate * options.seconds))]
            for name, server in (("engine", EngineServer(engine)), ("static", StaticServer(model, options.people))):
                first, done = arrivals(server, batch, rate)
                print(f"{rate:<6g}{name:22}{quantiles(first):>22}{quantiles(done):>24}")


if __name__ == "__main__":
    main()
