"""Two models of one shape as one: the mean of their weights.

    python -m training.blend NEW OLD --share 0.75 --out FOLDER

Where the new one was tuned from the old one, the line between them often holds models that keep what each is good at
(Wortsman et al. 2022, WiSE-FT). Tokenizer and settings are the new one's. Knows model folders; nothing of runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training import recipes
from training.runs import whole


def blend(new: Path, old: Path, share: float, out: Path) -> None:
    """Write `share` of `new` and the rest of `old`; RecipeError where their weights do not fit each other."""
    import torch
    from transformers import AutoTokenizer

    from training.pretrain import load

    if not 0 <= share <= 1:
        raise recipes.RecipeError(f"share: {share} is not between 0 and 1")
    model, other = load(new), load(old)
    theirs = dict(other.named_parameters())
    mine = dict(model.named_parameters())
    if {name: weight.shape for name, weight in mine.items()} != {name: weight.shape for name, weight in theirs.items()}:
        raise recipes.RecipeError(f"{new} and {old} are not of one shape: only a model and its tuned self are blended")
    with torch.no_grad():
        for name, weight in mine.items():
            weight.lerp_(theirs[name], 1 - share)
    model.to(torch.bfloat16)
    with whole(out) as fresh:
        model.save_pretrained(fresh, max_shard_size="18MB")
        AutoTokenizer.from_pretrained(new).save_pretrained(fresh)


def main() -> None:
    """Blend by the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", type=Path)
    parser.add_argument("old", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the new weights, from 0 to 1")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        blend(given.new, given.old, given.share, given.out)
    except recipes.RecipeError as error:
        raise SystemExit(str(error)) from None
    print(given.out)


if __name__ == "__main__":
    main()
