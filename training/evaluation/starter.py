"""What the starter's replies are worth: emotion hit by a second judge, broken replies, on held-out messages.

    python -m training.evaluation.starter --data FOLDER --starter models/starter --prompts 504 --out FILE.md

For every prompt it draws candidates, keeps the one that serving would send (of those that carry the emotion by the
shipped classifier the most relevant) and asks the judge, which was trained on other data. Knows folders; nothing of
queues.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.engines.sampling import recommended
from models.judging import Judge
from models.prompt import Prompt, render
from models.relevance import NOTHING, relevance
from models.selection import Defect, choose, defect
from models.sequence_classifier import SequenceClassifier
from models.window import newest
from storage.contracts import Candidate, Sampling, Turn
from storage.presets import Presets, load_presets
from training.data import emotions, seed_corpus
from training.data.conversations import Example
from training.data.emotions import LABELS
from training.evaluation.likelihoods import likelihoods
from training.evaluation.tfidf import TfIdf


@dataclass(frozen=True)
class Drawn:
    """One prompt with its candidates and the one that was kept."""

    prompt: Prompt
    candidates: tuple[str, ...]
    kept: str


def prompts(presets: Presets, most: int, seed: int = 5) -> list[Prompt]:
    """Held-out messages crossed with every preset and intensity, the same number of messages for each cell."""
    _, held = seed_corpus.split(seed_corpus.load())
    messages = sorted({row.turns for row in held}, key=lambda turns: [turn.text for turn in turns])
    cells = [(preset, step) for preset in presets.presets for step in (1, 2, 3)]
    chooser = random.Random(seed)
    each = max(1, most // len(cells))
    return [
        Prompt(turns, preset, step)
        for preset, step in cells
        for turns in chooser.sample(messages, min(each, len(messages)))
    ]


def generate(
    model: Any, tokenizer: Any, texts: Sequence[str], count: int, sampling: Sampling, batch: int = 64
) -> list[list[str]]:
    """`count` sampled answers to each rendered prompt."""
    import torch

    found: list[list[str]] = [[] for _ in texts]
    rows = [index for index in sorted(range(len(texts)), key=lambda index: len(texts[index])) for _ in range(count)]
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        inputs = tokenizer([texts[i] for i in part], padding=True, add_special_tokens=False, return_tensors="pt")
        with torch.inference_mode():
            output = model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                do_sample=True,
                pad_token_id=tokenizer.pad_token_id,
                **sampling.model_dump(),
            )
        answers = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for index, answer in zip(part, answers, strict=True):
            found[index].append(answer.strip())
    return found


def pick(judge: Judge, prompt: Prompt, candidates: Sequence[Candidate]) -> str:
    """What serving would send of classified candidates after this whole dialogue; the first one if none is sound."""
    scored = judge.score(prompt.preset, prompt.turns[-1].text, candidates)
    said = [turn.text for turn in prompt.turns if turn.role == "assistant"]
    chosen = choose(scored, intensity=prompt.intensity, said=said).candidate
    return (chosen or candidates[0]).text


def hits(drawn: Sequence[Drawn], rows: Sequence[Mapping[str, float]]) -> dict[tuple[str, int], list[bool]]:
    """For each preset and intensity, whether the judge's likeliest label is one of the preset's."""
    found: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for one, row in zip(drawn, rows, strict=True):
        wanted = [label for label in one.prompt.preset.labels if label in LABELS]
        found[one.prompt.preset.id, one.prompt.intensity].append(likeliest(row) in wanted)
    return found


class Starter:
    """A starter folder that answers. `relevance`, `turns`: as serving's MODELS_RELEVANCE and MODELS_TURNS."""

    def __init__(
        self, folder: Path, presets: Presets, relevance: bool = True, turns: int | None = None, seed: int = 1
    ) -> None:
        import torch

        torch.manual_seed(seed)
        self.presets = presets
        self.relevance = relevance
        self.turns = turns
        self.model, self.tokenizer = load(folder)
        self.classifier = SequenceClassifier.load(str(folder / "classifier"))
        self.judge = Judge(self.classifier)
        self.sampling = recommended(self.model.generation_config)

    def draw(self, asked: Sequence[Prompt], count: int, overrides: Mapping[str, float]) -> list[Drawn]:
        """Candidates for all prompts, and the ones that serving would send. Sampled as the base's generation config and
        the presets say, `overrides` over both."""
        whole, asked = asked, [replace(one, turns=newest(one.turns, self.turns)) for one in asked]
        answers: dict[int, list[str]] = {}
        for preset in self.presets.presets:
            own = [index for index, one in enumerate(asked) if one.preset.id == preset.id]
            sampling = Sampling.model_validate({**self.sampling.model_dump(), **preset.sampling, **overrides})
            texts = [render(self.tokenizer, asked[index], self.presets) for index in own]
            drawn = generate(self.model, self.tokenizer, texts, count, sampling)
            answers |= dict(zip(own, drawn, strict=True))
        pairs = [(prompt, text) for index, prompt in enumerate(asked) for text in answers[index]]
        worth = self._weighed(pairs) if self.relevance else [None] * len(pairs)
        rows = self.classifier.classify([text for _, text in pairs])
        scored = iter(
            self.judge.fill(prompt.preset, Candidate(text=text, fit=0.0, relevance=value), row)
            for (prompt, text), value, row in zip(pairs, worth, rows, strict=True)
        )
        found: list[Drawn] = []
        for index, prompt in enumerate(asked):
            kept = pick(self.judge, whole[index], [next(scored) for _ in answers[index]])
            found.append(Drawn(prompt, tuple(answers[index]), kept))
        return found

    def _weighed(self, pairs: Sequence[tuple[Prompt, str]]) -> list[float | None]:
        """The relevance of each answer to its prompt, as serving weighs it (`models.relevance`)."""
        after = [Example(prompt.turns, text, prompt.preset, prompt.intensity) for prompt, text in pairs]
        own = likelihoods(self.model, self.tokenizer, after, self.presets)
        bare = [replace(one, turns=NOTHING) for one in after]
        anywhere = likelihoods(self.model, self.tokenizer, bare, self.presets)
        return [relevance(one, two) for one, two in zip(own, anywhere, strict=True)]


def load(starter: Path) -> tuple[Any, Any]:
    """Model (adapter merged, if there is one) and tokenizer of a starter folder."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(starter / "base", dtype=torch.bfloat16)
    if (starter / "adapter").exists():
        model = PeftModel.from_pretrained(model, str(starter / "adapter"), autocast_adapter_dtype=False)
        model = model.merge_and_unload()
    return model.eval(), AutoTokenizer.from_pretrained(starter / "base")


def table(found: Mapping[tuple[str, int], Sequence[bool]], presets: Presets) -> list[str]:
    """Hit rates as Markdown lines; the last row is the mean over presets."""
    lines = ["| preset | intensity 1 | 2 | 3 | all |", "| --- | --- | --- | --- | --- |"]
    sums = [0.0] * 4
    for preset in presets.presets:
        cells = [list(found[preset.id, step]) for step in (1, 2, 3)]
        rates = [sum(cell) / len(cell) for cell in cells]
        rates.append(sum(map(sum, cells)) / sum(map(len, cells)))
        sums = [one + two for one, two in zip(sums, rates, strict=True)]
        lines.append(f"| {preset.id} | " + " | ".join(f"{rate:.2f}" for rate in rates) + " |")
    lines.append("| mean | " + " | ".join(f"{one / len(presets.presets):.2f}" for one in sums) + " |")
    return lines


def main() -> None:
    """Measure and write the table."""
    from training.evaluation import judge

    parser = argparse.ArgumentParser(description="Emotion hit and broken replies of a starter folder.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--starter", type=Path, default=Path("models/starter"))
    parser.add_argument("--prompts", type=int, default=504)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--no-relevance", action="store_true", help="as with MODELS_RELEVANCE=false")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="sampling, as temperature=0.6")
    parser.add_argument("--seed-share", type=float, default=0.7, help="as in the classifier's recipe")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=Path, help="also write prompts and replies as JSON lines")
    given = parser.parse_args()
    presets = load_presets()
    overrides = {key: float(value) for key, _, value in (one.partition("=") for one in given.overrides)}
    starter = Starter(given.starter, presets, not given.no_relevance)
    drawn = starter.draw(prompts(presets, given.prompts), given.candidates, overrides)
    if given.samples:
        write_samples(drawn, given.samples)
    text = "\n".join(report(drawn, judge.fit(given.data, given.seed_share), presets)) + "\n"
    given.out.write_text(text, encoding="utf-8")
    print(text)


def report(drawn: Sequence[Drawn], second: TfIdf, presets: Presets) -> list[str]:
    """What the judge is worth on people's replies, and what it says of the starter's, as Markdown."""
    _, held = seed_corpus.split(seed_corpus.load())
    humans = list(emotions.seed_with_sympathy(held))
    rows = second.rows([row.text for row in humans])
    macro = emotions.macro_f1(rows, humans, dict.fromkeys(LABELS, 0.5), LABELS)["macro"]
    right = sum(likeliest(row) in one.labels for row, one in zip(rows, humans, strict=True)) / len(humans)
    faults = Counter(defect(one.kept, one.prompt.turns[-1].text) for one in drawn)
    singles = [Drawn(one.prompt, one.candidates, one.candidates[0]) for one in drawn]
    return [
        f"Judge on {len(humans)} held-out replies of the seed corpus: macro-F1 {macro:.3f}, likeliest label right in "
        f"{right:.3f}.",
        "",
        f"{len(drawn)} prompts, {len(drawn[0].candidates)} candidates; "
        + ", ".join(f"{fault.value} {faults[fault]}" for fault in Defect)
        + ".",
        "",
        "With the candidate that is sent:",
        "",
        *table(hits(drawn, second.rows([one.kept for one in drawn])), presets),
        "",
        "With the first candidate:",
        "",
        *table(hits(singles, second.rows([one.kept for one in singles])), presets),
    ]


def likeliest(row: Mapping[str, float]) -> str:
    """The label with the highest probability."""
    return max(LABELS, key=lambda label: row.get(label, 0.0))


def write_samples(drawn: Sequence[Drawn], path: Path) -> None:
    """Prompts with their replies, for people to read."""
    with path.open("w", encoding="utf-8") as out:
        for one in drawn:
            turns: tuple[Turn, ...] = one.prompt.turns
            row = {
                "turns": [t.text for t in turns],
                "preset": one.prompt.preset.id,
                "intensity": one.prompt.intensity,
                "kept": one.kept,
                "candidates": one.candidates,
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
