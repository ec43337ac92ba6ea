"""Do a starter's answers speak of the subject that the template tells it?

    python -m training.evaluation.subjects --starter models/starter [--set later] [--drawn 4]

To each message of a set, in every second preset, the answer that serving would send is looked up among the open
replies: whether it is one about the subject that the reader told, about another one, an open one or none of these; and
for messages whose subject was told by hand (`<set>_subjects.txt`) whether it is about that. Knows open replies and a
starter folder; nothing of serving.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

from models.prompt import Prompt
from models.reader import reader_of
from models.subjects import NONE
from storage.contracts import Turn
from storage.presets import Preset, load_presets
from training.data import seed_open
from training.data.seed_open import FOLDER
from training.evaluation.kinds import SETS, plain, subjects_told, told
from training.evaluation.starter import Starter

OWN, OTHER, OPEN, ELSE = "of the told subject", "of another subject", "open", "none of these"


def about(preset: Preset) -> dict[str, set[str]]:
    """The subjects of each reply of a preset that is about one; replies in lower case without «ё»."""
    found: dict[str, set[str]] = defaultdict(set)
    for (which, _), replies in seed_open.subject_replies(FOLDER, preset).items():
        for _, text in replies:
            found[plain(text)].add(which.split("|")[0])
    return found


def openly(preset: Preset) -> set[str]:
    """The replies of a preset that fit any message of a kind."""
    return {plain(text) for replies in seed_open.replies(FOLDER, preset).values() for _, text in replies}


def sort(reply: str, subject: str | None, subjects: dict[str, set[str]], opened: set[str]) -> str:
    """One of OWN, OTHER, OPEN, ELSE for a reply to a message of which the template told `subject`."""
    given = plain(reply)
    if given in subjects:
        return OWN if subject in subjects[given] else OTHER
    return OPEN if given in opened else ELSE


def count(starter: Starter, folder: Path, which: str, drawn: int) -> list[str]:
    """Markdown lines: what is sent to messages of a set of which the template tells a subject, and to the others."""
    texts = [text for text, _ in told(which)]
    reader = reader_of(str(folder / "base"))
    read = [reader.hints(text)["about"] or None if reader else None for text in texts]
    presets = starter.presets.presets
    asked = [
        (row, Prompt((Turn(role="user", text=text),), preset, 1 + (row + column) % 3))
        for row, text in enumerate(texts)
        for column, preset in enumerate(presets)
        if (row + column) % 2 == 0
    ]
    subjects, opened = {one.id: about(one) for one in presets}, {one.id: openly(one) for one in presets}
    by_hand = subjects_told(which)
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    right = known = 0
    for (row, prompt), one in zip(asked, starter.draw([prompt for _, prompt in asked], drawn, {}), strict=True):
        name = prompt.preset.id
        counts[read[row] is not None][sort(one.kept, read[row], subjects[name], opened[name])] += 1
        if by_hand[row] != NONE:
            known += 1
            right += by_hand[row] in subjects[name].get(plain(one.kept), ())
    lines = []
    for heard, words in ((True, "told a subject"), (False, "told none")):
        total = sum(counts[heard].values())
        cells = [f"{counts[heard][kind]}" for kind in (OWN, OTHER, OPEN, ELSE)]
        lines.append(f"| {which}, {words} | {total} | {' | '.join(cells)} |")
    lines.append(
        f"\nOf {known} answers to messages with a subject by hand, {right} ({right / max(1, known):.3f}) are about it."
    )
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starter", type=Path, default=Path("models/starter"))
    parser.add_argument("--set", choices=SETS, default="later")
    parser.add_argument("--drawn", type=int, default=4)
    given = parser.parse_args()
    starter = Starter(given.starter, load_presets())
    print(f"| answers to | all | {' | '.join((OWN, OTHER, OPEN, ELSE))} |\n| --- | --- | --- | --- | --- | --- |")
    print("\n".join(count(starter, given.starter, given.set, given.drawn)))


if __name__ == "__main__":
    main()
