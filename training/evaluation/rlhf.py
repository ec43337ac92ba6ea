"""Whether reinforcement bought emotion or fooled its reward: answers of adapters to the same held-out messages.

    python -m training.evaluation.rlhf --data FOLDER --adapter before=models/starter/adapter --adapter after=FOLDER

The classifier that gave the reward and the judge, trained on other data, say what emotion an answer carries; if only
the first is pleased, the reward was fooled. Diversity and defects tell what it cost. Knows folders, no method.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.prompt import Prompt, render
from models.selection import defect
from storage.contracts import Sampling
from storage.presets import Presets, load_presets
from training.data.conversations import classify
from training.evaluation.starter import generate, likeliest, prompts


@dataclass(frozen=True)
class Answered:
    """An adapter's answers to the prompts, one each, and what each opinion on emotions says of them."""

    texts: tuple[str, ...]
    classifier: tuple[Mapping[str, float], ...]
    judge: tuple[Mapping[str, float], ...]


def distinct(texts: Sequence[str], size: int) -> float:
    """Different word n-grams among all of them, 0 to 1 (Li et al. 2016, arXiv:1510.03055, section 5); 0 without any."""
    found = [
        tuple(words[place : place + size])
        for words in (text.lower().split() for text in texts)
        for place in range(len(words) - size + 1)
    ]
    return len(set(found)) / len(found) if found else 0.0


def hit_share(asked: Sequence[Prompt], rows: Sequence[Mapping[str, float]]) -> float:
    """Answers whose likeliest label is one of their preset's."""
    return sum(likeliest(row) in one.preset.labels for one, row in zip(asked, rows, strict=True)) / len(asked)


def probability(asked: Sequence[Prompt], rows: Sequence[Mapping[str, float]]) -> float:
    """Mean probability of the preset's likeliest label: what the reward pays."""
    found = [
        max(row[label] for label in one.preset.labels if label in row) for one, row in zip(asked, rows, strict=True)
    ]
    return sum(found) / len(found)


def figures(asked: Sequence[Prompt], answered: Answered) -> dict[str, float]:
    """What is compared, by name."""
    texts = answered.texts
    faults = sum(defect(text, one.turns[-1].text) is not None for text, one in zip(texts, asked, strict=True))
    return {
        "rewarded probability": probability(asked, answered.classifier),
        "hit by the rewarding classifier": hit_share(asked, answered.classifier),
        "hit by the judge": hit_share(asked, answered.judge),
        "distinct-1": distinct(texts, 1),
        "distinct-2": distinct(texts, 2),
        "different answers": len(set(texts)) / len(texts),
        "words an answer": sum(len(text.split()) for text in texts) / len(texts),
        "defective": faults / len(texts),
    }


def table(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Markdown lines, a column an adapter."""
    names = list(found)
    lines = ["| | " + " | ".join(names) + " |", "| --- " * (len(names) + 1) + "|"]
    rows = next(iter(found.values()))
    return lines + [f"| {row} | " + " | ".join(f"{found[name][row]:.3f}" for name in names) + " |" for row in rows]


def by_preset(asked: Sequence[Prompt], found: Mapping[str, Answered]) -> list[str]:
    """Markdown lines of the judge's hits, a row a preset."""
    ids = list(dict.fromkeys(one.preset.id for one in asked))
    lines = ["| hit by the judge | " + " | ".join(found) + " |", "| --- " * (len(found) + 1) + "|"]
    for preset in ids:
        places = [place for place, one in enumerate(asked) if one.preset.id == preset]
        own = [asked[place] for place in places]
        cells = [hit_share(own, [one.judge[place] for place in places]) for one in found.values()]
        lines.append(f"| {preset} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    return lines


def answers(base: Path, adapter: Path, asked: Sequence[Prompt], presets: Presets, sampling: Sampling) -> list[str]:
    """One answer to each prompt, sampled as serving samples, by base and adapter."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(1)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    model = PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=False).merge_and_unload().eval()
    texts = [render(tokenizer, one, presets) for one in asked]
    return [one[0] for one in generate(model, tokenizer, texts, 1, sampling)]


def main() -> None:
    """Draw, judge and print the tables."""
    from training.evaluation import judge

    parser = argparse.ArgumentParser(description="Answers of several adapters, by the reward and by a second opinion.")
    parser.add_argument("--data", type=Path, required=True, help="the public data folder; the judge learns from it")
    parser.add_argument("--base", type=Path, default=Path("models/starter/base"))
    parser.add_argument("--classifier", type=Path, default=Path("models/starter/classifier"))
    parser.add_argument("--adapter", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--prompts", type=int, default=504)
    parser.add_argument("--temperature", type=float, default=0.4)
    parser.add_argument("--seed-share", type=float, default=0.7, help="as in the classifier's recipe")
    given = parser.parse_args()
    presets = load_presets()
    asked = prompts(presets, given.prompts)
    sampling = Sampling(temperature=given.temperature, repetition_penalty=1.0)
    second = judge.fit(given.data, given.seed_share)
    found: dict[str, Answered] = {}
    for named in given.adapter:
        name, _, folder = named.partition("=")
        texts = answers(given.base, Path(folder), asked, presets, sampling)
        found[name] = Answered(tuple(texts), tuple(classify(given.classifier, texts)), tuple(second.rows(texts)))
    lines = table({name: figures(asked, one) for name, one in found.items()})
    print("\n".join([f"{len(asked)} prompts", "", *lines, "", *by_preset(asked, found)]))


if __name__ == "__main__":
    main()
