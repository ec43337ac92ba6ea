"""Which labelled and unlabelled texts the emotion classifier learns from, and which are kept for measuring it.

Knows the readers; nothing of networks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from training.data import emotions, posts, seed_corpus, sources
from training.data.cleaning import tidy
from training.data.emotions import Labelled

UNLABELLED = ("short_sentences", "films", "anekdots", "drama", "prose_dialogues")


def gather(data: Path | None, seed_share: float, with_posts: bool = False) -> dict[str, list[Labelled]]:
    """`train`, `validation` and the dev sets. Nothing that stands in a dev set is in the other two.

    Of the seed corpus the first two have files 01–33, `seed_dev` the held-out replies of all files. `with_posts`: the
    posts are learned from, too; shares and thresholds go by the other rows alone.
    """
    train, held = seed_corpus.split(seed_corpus.load())
    # The short plain replies of the broad files would teach it stuffed keywords, see `for_judges`.
    train = seed_corpus.narrow(train)
    rows = list(emotions.seed_with_sympathy(row for row in train if emotions.share(row.message, "judge") < seed_share))
    found = {"seed_dev": list(emotions.seed_with_sympathy(held))}
    if data is not None:
        labelled = list(emotions.cedr(data))
        found["cedr_dev"] = [row for row in labelled if emotions.share(row.text, "cedr") < 0.1]
        found["brighter_dev"] = list(emotions.brighter(data, "brighter_dev"))
        rows += [*labelled, *emotions.brighter(data), *emotions.brighter_intensities(data)]
    own, found["posts_dev"] = posts.load()
    kept = emotions.without(rows, [row for one in found.values() for row in one])
    found["train"] = [row for row in kept if emotions.share(row.text, "validation") >= 0.1]
    found["validation"] = [row for row in kept if emotions.share(row.text, "validation") < 0.1]
    if with_posts:
        found["train"] += emotions.without(own, [row for one in found.values() for row in one])
    return found


def for_judges(seed_share: float) -> list[Labelled]:
    """What judges learn of the seed corpus: replies to training messages that are not the shipped classifier's.

    Of the narrow files: the short plain replies of the broad ones teach judges nothing about people's (right in 0.81 of
    96 held-out replies without them, 0.82 with) and please them with stuffed keywords, of which they take 0.75 for the
    emotion instead of 0.62.
    """
    train, _ = seed_corpus.split(seed_corpus.narrow(seed_corpus.load()))
    return list(emotions.seed_with_sympathy(row for row in train if emotions.share(row.message, "judge") >= seed_share))


def unlabelled(data: Path, most: int, seed: int) -> list[str]:
    """Everyday lines of the public sources, uncleaned of strong words: the classifier must know those."""
    chosen: list[str] = []
    for name in UNLABELLED:
        lines: list[str] = []
        for row in sources.rows(data / sources.FILES[name]):
            lines += [tidy(text) for text in row.get("turns", [row.get("text", "")]) if 3 < len(text) < 200]
        random.Random(seed).shuffle(lines)
        chosen += lines[:most]
    return chosen


def augment(rows: Sequence[Labelled], count: int, seed: int) -> list[str]:
    """New texts in the manner of labelled ones: crops, dropped words, two crops in a row. A teacher labels them."""
    chooser = random.Random(seed)
    words = [row.text.split() for row in rows if row.text.split()]
    found: list[str] = []
    for _ in range(count):
        text = _crop(chooser.choice(words), chooser)
        if chooser.random() < 0.35:
            text += _crop(chooser.choice(words), chooser)
        dropped = chooser.choice((0.0, 0.0, 0.1, 0.25))
        found.append(" ".join(word for word in text if chooser.random() >= dropped) or text[0])
    return found


def _crop(words: Sequence[str], chooser: random.Random) -> list[str]:
    size = max(1, round(len(words) * chooser.uniform(0.3, 1.0)))
    start = chooser.randint(0, len(words) - size)
    return list(words[start : start + size])
