"""What «авто» answers messages with: by the emotion that they show, and by what they tell.

    python -m training.evaluation.auto [--reader models/starter/base/reader]

Messages whose kind was told by hand and that nobody learns from (`<set>_messages.txt`), the bundled presets and the
bundled classifier. For each kind: how many answers each emotion is chosen for, without the reader and with it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from models.build import build_classifier
from models.reader import FOLDER, load_reader
from models.settings import STARTER, ModelsSettings
from storage.presets import KINDS, load_presets
from training.evaluation.kinds import SETS, told


def chosen(texts: Sequence[str], reader: Path | None) -> list[str]:
    """The preset id of the answer to each message, with a reader's folder or without."""
    presets = load_presets()
    classifier = build_classifier(ModelsSettings())
    if classifier is None:
        raise SystemExit("training.evaluation.auto: MODELS_CLASSIFIER=none reads no emotion; unset it")
    shown = classifier.classify(texts)
    told_by = None if reader is None else load_reader(reader)
    kinds = [None] * len(texts) if told_by is None else told_by.kinds(texts)
    return [presets.resolve_auto(emotions, kind).id for emotions, kind in zip(shown, kinds, strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", type=Path, default=STARTER / "base" / FOLDER)
    reader = parser.parse_args().reader
    print("| set | message | without the reader | with it |\n| --- | --- | --- | --- |")
    for name in SETS:
        known = told(name)
        ways = [chosen([text for text, _ in known], one) for one in (None, reader)]
        for kind in KINDS:
            cells = []
            for way in ways:
                counts = Counter(answer for (_, actual), answer in zip(known, way, strict=True) if actual == kind)
                cells.append(", ".join(f"{answer} {count}" for answer, count in counts.most_common()))
            print(f"| {name} | {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
