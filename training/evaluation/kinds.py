"""Does a starter hear what kind of thing it is told? By the kind whose open replies it finds most to the point.

    python -m training.evaluation.kinds --starter models/starter [--set later] [--probe 5] [--drawn 4]

For each message of a set whose kinds are told (`<set>_kinds.txt`) the open replies of every kind and preset at
intensity 2 are weighed as serving weighs candidates (`models.relevance`); of the best one of each preset the mean over
presets is a kind's worth. Beside it stands what a linear model of n-grams learns of kinds from the very messages that
the share `seed_kinds` is made of; with `--probe` also what a linear model learns from the starter's states after that
layer (a linear probe, Alain & Bengio 2016, arXiv:1610.01644): what it knows inside, whether or not it says so. With
`--drawn` also how many of the answers that serving would send, in every second preset, are open replies of the told
kind: with the reader in the base's folder and without it. Knows open replies and a starter folder; nothing of serving.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prompt import Prompt, render_plain
from models.relevance import NOTHING, relevance
from models.subjects import ABOUT, NONE
from storage.contracts import Turn
from storage.presets import Preset, Presets, load_presets
from training.data import hearing, seed_open
from training.data.conversations import Example
from training.data.emotions import Labelled
from training.data.seed_open import FIRST, FOLDER, Message
from training.evaluation.likelihoods import likelihoods
from training.evaluation.starter import Starter, load
from training.evaluation.statistics import interval
from training.evaluation.tfidf import TfIdf

HERE = Path(__file__).parent
SETS = ("fresh", "later", "everyday")
INTENSITY = 2
NEWS = ("good", "bad")
# Of 25,000 messages: so many a probe of some hundred weights a kind learns from as well.
PROBED = 8000


def told(which: str) -> list[tuple[str, str]]:
    """The messages of a set, each with its kind. ValueError if a line is missing or no kind."""
    texts, kinds = (
        (HERE / f"{which}_{what}.txt").read_text(encoding="utf-8").splitlines() for what in ("messages", "kinds")
    )
    if len(texts) != len(kinds) or not set(kinds) <= set(FIRST):
        raise ValueError(f"{which}_kinds.txt: one of {', '.join(FIRST)} for each line of {which}_messages.txt")
    return list(zip(texts, kinds, strict=True))


def subjects_told(which: str) -> list[str]:
    """The subject of each message of a set, `-` of none. ValueError if a line is missing or no subject."""
    found = (HERE / f"{which}_subjects.txt").read_text(encoding="utf-8").splitlines()
    if len(found) != len(told(which)) or not set(found) <= set(ABOUT):
        raise ValueError(f"{which}_subjects.txt: a subject or `-` for each line of {which}_messages.txt")
    return found


def offered(presets: Presets, most: int, seed: int = 0) -> list[tuple[Preset, str, str]]:
    """Up to `most` open replies without «вы» for each preset and kind: (preset, kind, reply)."""
    chooser = random.Random(seed)
    found = []
    for preset in presets.presets:
        known = seed_open.replies(FOLDER, preset)
        for kind in FIRST if known else ():
            fit = [text for register, text in known[kind, INTENSITY] if register in ("т", NONE)]
            found += [(preset, kind, text) for text in chooser.sample(fit, min(most, len(fit)))]
    return found


def worth(
    scores: NDArray[np.float64], given: Sequence[tuple[Preset, str, str]], kinds: Sequence[str] = FIRST
) -> NDArray[np.float64]:
    """`(messages, kinds)`: of `(messages, replies)` scores the best of each preset and kind, averaged over presets."""
    cells: dict[str, dict[str, list[int]]] = {kind: {} for kind in kinds}
    for index, (preset, kind, _) in enumerate(given):
        cells[kind].setdefault(preset.id, []).append(index)
    best = [np.mean([scores[:, own].max(1) for own in cells[kind].values()], axis=0) for kind in kinds]
    return np.stack(best, axis=1)


def heard(starter: Path, presets: Presets, texts: Sequence[str], most: int) -> NDArray[np.float64]:
    """`(messages, kinds)`: what a starter folder finds each kind's open replies worth as answers to each message."""
    model, tokenizer = load(starter)
    given = offered(presets, most)
    every = [Example((Turn(role="user", text=text),), said, who, INTENSITY) for text in texts for who, _, said in given]
    own = np.array(likelihoods(model, tokenizer, every, presets)).reshape(len(texts), len(given))
    bare = likelihoods(model, tokenizer, [Example(NOTHING, said, who, INTENSITY) for who, _, said in given], presets)
    scores = [[relevance(one, anywhere) for one, anywhere in zip(row, bare, strict=True)] for row in own]
    return worth(np.array(scores), given)


def linear(texts: Sequence[str], most: int | None = None) -> NDArray[np.float64]:
    """`(messages, kinds)`: probabilities by n-grams, learned from (at most so many) messages of `seed_kinds`."""
    rows = [Labelled(one.text, frozenset({one.kind}), one.source, frozenset(FIRST)) for one in learned(most)]
    return TfIdf.fit(rows, labels=FIRST).predict(texts).astype(np.float64)


def learned(most: int | None = None) -> list[Message]:
    """The messages of the share `seed_kinds`, or so many of them, drawn."""
    known = [one for one in hearing.every() if one.kind in FIRST and not one.held_out]
    return known if most is None else random.Random(0).sample(known, min(most, len(known)))


def inside(starter: Path, texts: Sequence[str], layer: int, most: int = PROBED) -> NDArray[np.float64]:
    """`(messages, kinds)`: probabilities by a linear probe of a starter folder's states after a layer, where a message
    ends; it learns from up to `most` messages of the share `seed_kinds`. ValueError if there is no such layer."""
    from sklearn.linear_model import LogisticRegression

    model, tokenizer = load(starter)
    if not 1 <= layer <= model.config.num_hidden_layers:
        raise ValueError(f"--probe: the starter has layers 1 to {model.config.num_hidden_layers}, not {layer}")
    known = learned(most)
    given = states(model, tokenizer, [one.text for one in known], layer)
    probe = LogisticRegression(C=0.1, max_iter=1000).fit(given, [FIRST.index(one.kind) for one in known])
    found = np.zeros((len(texts), len(FIRST)))
    found[:, probe.classes_] = probe.predict_proba(states(model, tokenizer, texts, layer))
    return found


def states(model: Any, tokenizer: Any, texts: Sequence[str], layer: int, batch: int = 64) -> NDArray[np.float32]:
    """`(messages, hidden)`: the network's states after a layer at the last token before the answer begins, of length
    √hidden each."""
    import torch

    found = []
    for start in range(0, len(texts), batch):
        shown = [render_plain(tokenizer, (Turn(role="user", text=text),)) for text in texts[start : start + batch]]
        rows = tokenizer(shown, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            every = model(**rows, output_hidden_states=True).hidden_states[layer][:, -1].float()
        found.append(torch.nn.functional.rms_norm(every, every.shape[-1:]).numpy())
    return np.concatenate(found)


def of_kinds(preset: Preset) -> dict[str, set[str]]:
    """The kinds of each open reply of a preset, subjects' ones included; replies in lower case without «ё»."""
    found: dict[str, set[str]] = defaultdict(set)
    for (kind, _), replies in seed_open.replies(FOLDER, preset).items():
        for _, text in replies:
            found[plain(text)].add(kind)
    for (which, _), replies in seed_open.subject_replies(FOLDER, preset).items():
        for _, text in replies:
            found[plain(text)].add(which.split("|")[1])
    return found


def plain(text: str) -> str:
    """Lower case, ё as е, single spaces."""
    return " ".join(text.lower().replace("ё", "е").split())


def sent(starter: Starter, known: Sequence[tuple[str, str]], count: int) -> NDArray[np.float64]:
    """For each message and every second preset 1 if what serving would send of `count` candidates is an open reply of
    the told kind, else 0; intensities in turn."""
    presets = starter.presets.presets
    asked = [
        (kind, Prompt((Turn(role="user", text=text),), preset, 1 + (row + column) % 3))
        for row, (text, kind) in enumerate(known)
        for column, preset in enumerate(presets)
        if (row + column) % 2 == 0
    ]
    drawn = starter.draw([prompt for _, prompt in asked], count, {})
    kinds = {preset.id: of_kinds(preset) for preset in presets}
    return np.array(
        [
            float(kind in kinds[prompt.preset.id].get(plain(one.kept), ()))
            for (kind, prompt), one in zip(asked, drawn, strict=True)
        ]
    )


def report(scores: Mapping[str, NDArray[np.float64]], kinds: Sequence[str]) -> list[str]:
    """Markdown lines: how often each contender's best kind is the told one, of five and of good and bad news alone."""
    lines = ["| | right of five | good or bad | mistaken most |", "| --- | --- | --- | --- |"]
    actual = np.array([FIRST.index(kind) for kind in kinds])
    news = np.isin(actual, [FIRST.index(kind) for kind in NEWS])
    sides = [FIRST.index(kind) for kind in NEWS]
    for name, values in scores.items():
        chosen = values.argmax(1)
        right = interval((chosen == actual).astype(float))
        apart = interval((np.array(sides)[values[news][:, sides].argmax(1)] == actual[news]).astype(float))
        wrong = [f"{FIRST[one]} → {FIRST[other]}" for one, other in zip(actual, chosen, strict=True) if one != other]
        most = max(sorted(set(wrong)), key=wrong.count, default="–")
        lines.append(f"| {name} | {right} | {apart} | {most} ({wrong.count(most)}) |")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starter", type=Path, default=Path("models/starter"))
    parser.add_argument("--set", choices=SETS, default="later")
    parser.add_argument("--replies", type=int, default=3, help="of each kind and preset")
    parser.add_argument("--probe", type=int, help="also what is known after this layer")
    parser.add_argument("--drawn", type=int, help="also what is sent of so many candidates")
    given = parser.parse_args()
    texts, kinds = zip(*told(given.set), strict=True)
    scores = {
        f"starter {given.starter}": heard(given.starter, load_presets(), texts, given.replies),
        "n-grams": linear(texts),
    }
    if given.probe:
        scores[f"inside, after layer {given.probe}"] = inside(given.starter, texts, given.probe)
    print(f"{len(texts)} messages\n\n" + "\n".join(report(scores, kinds)))
    if given.drawn:
        for name in ("without the reader", "with it"):
            starter = Starter(given.starter, load_presets())
            if name == "without the reader":
                starter.tokenizer.name_or_path = ""
            print(f"sent, of the told kind, {name}: {interval(sent(starter, told(given.set), given.drawn).tolist())}")


if __name__ == "__main__":
    main()
