"""The wide part of a classifier: linear weights over hashed n-grams whose logits are added to the network's.

«Wide & deep» (Cheng et al. 2016, arXiv:1606.07792). Words, pairs of words and letters of words are hashed with CRC-32,
so that a file of numbers, `wide.safetensors`, is all there is: no vocabulary, no state, the same in every process.
Knows texts and numbers; nothing of networks, thresholds or presets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

FILE = "wide.safetensors"
FORMAT = "otklik-wide-1"
# Longer texts are cut: the network reads no more than 256 tokens either.
LONGEST = 2000
# Bytes of 2, 3, 4 and 5 letters in UTF-16.
WIDTHS = (4, 6, 8, 10)
PIECES = re.compile(r"\w+|[()]+|[!?.]+|[^\w\s]")
# Hashes of words and of letters start differently, so that «не» the word is not «не» the letters.
WORD, PART = 1, 0

Numbers = NDArray[np.float32]
Keys = NDArray[np.uint32]


def fold(text: str) -> str:
    """Lower case, ё as е, a letter at most twice in a row (but not punctuation): «Уррррааа» and «урраа» are one."""
    return re.sub(r"(\w)\1{2,}", r"\1\1", text[:LONGEST].lower().replace("ё", "е"))


def blocks(text: str) -> tuple[tuple[Keys, Numbers], ...]:
    """Distinct hashes with their dampened counts, 1 + ln(count): of words and their pairs, and of letters.

    Letters are runs of 2 to 5 within a word and the blanks around it.
    """
    folded = fold(text)
    return _counted(_words(folded)), _counted(_letters(folded))


def _words(folded: str) -> list[int]:
    # «!!!!!» is no more than «!!!».
    words = [piece[:3] if piece[0] in "()!?." else piece for piece in PIECES.findall(folded)]
    pairs = [f"{one} {two}" for one, two in pairwise(words)]
    return [crc32(one.encode("utf-16-le", "surrogatepass"), WORD) for one in (*words, *pairs)]


def _letters(folded: str) -> list[int]:
    found: list[int] = []
    for word in folded.split():
        # Two bytes a letter, so that slices of bytes are slices of letters.
        raw = f" {word} ".encode("utf-16-le", "surrogatepass")
        for width in WIDTHS:
            if len(raw) <= width:
                found.append(crc32(raw, PART))
                break
            found += [crc32(raw[start : start + width], PART) for start in range(0, len(raw) - width + 1, 2)]
    return found


def _counted(hashes: list[int]) -> tuple[Keys, Numbers]:
    keys, counts = np.unique(np.array(hashes, dtype=np.uint32), return_counts=True)
    return keys, (1 + np.log(counts)).astype(np.float32)


@dataclass(frozen=True)
class Wide:
    """Weights of the wide part.

    `keys`: (n,) ascending hashes that were seen often enough. `rarity`: (n,) inverse document frequency. `weights`:
    (n, labels). `bias`: (labels,). `share`: (labels,), what the network's logits are multiplied by before the sum.
    """

    keys: Keys
    rarity: Numbers
    weights: Numbers
    bias: Numbers
    share: Numbers

    def features(self, text: str) -> tuple[NDArray[np.int64], Numbers]:
        """Places of known hashes in `keys`, and their TF-IDF: of words and of letters apart, each of length one."""
        found = [self._weighed(keys, counts) for keys, counts in blocks(text)]
        return np.concatenate([places for places, _ in found]), np.concatenate([values for _, values in found])

    def logits(self, texts: Sequence[str]) -> Numbers:
        """(texts, labels): bias, and weights times features."""
        found = np.repeat(self.bias[None], len(texts), axis=0)
        for row, text in enumerate(texts):
            places, values = self.features(text)
            found[row] += values @ self.weights[places]
        return found

    def _weighed(self, keys: Keys, counts: Numbers) -> tuple[NDArray[np.int64], Numbers]:
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[places] == keys
        values = counts[known] * self.rarity[places[known]]
        length = np.sqrt(values @ values)
        return places[known], values / length if length else values

    def save(self, folder: Path, labels: Sequence[str]) -> None:
        """Write `wide.safetensors`; weights as float16."""
        from safetensors.numpy import save_file

        tensors = {"keys": self.keys, "rarity": self.rarity, "bias": self.bias, "share": self.share}
        tensors["weights"] = self.weights.astype(np.float16)
        save_file(tensors, folder / FILE, metadata={"format": FORMAT, "labels": ",".join(labels)})


def read(folder: Path, labels: Sequence[str]) -> Wide | None:
    """The wide part beside a classifier's network; None if there is none. ValueError if it is damaged or not its."""
    file = folder / FILE
    if not file.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="numpy") as opened:
            about = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise ValueError(f"{file} is damaged ({error}): fetch or train the classifier again") from error
    if about.get("format") != FORMAT:
        raise ValueError(f"{file} is not of the format {FORMAT}: remove it, or update the product")
    if (own := about.get("labels", "").split(",")) != list(labels):
        raise ValueError(f"{file} is for the labels {', '.join(own)}, the network has {', '.join(labels)}")
    return _checked(file, tensors, len(labels))


def _checked(file: Path, tensors: dict[str, NDArray[np.generic]], labels: int) -> Wide:
    """ValueError unless shapes fit together, numbers are finite and keys ascend."""
    if set(tensors) != {"keys", "rarity", "weights", "bias", "share"}:
        raise ValueError(f"{file} lacks tensors or has others; it has {', '.join(sorted(tensors))}")
    keys = tensors.pop("keys")
    size = len(keys) if keys.ndim == 1 else 0
    wanted = {"rarity": (size,), "weights": (size, labels), "bias": (labels,), "share": (labels,)}
    numbers = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    shapes = all(numbers[name].shape == shape and np.isfinite(numbers[name]).all() for name, shape in wanted.items())
    if not size or keys.dtype != np.uint32 or not shapes or not (keys[1:] > keys[:-1]).all():  # type: ignore[operator]
        raise ValueError(f"{file} is damaged (shapes or numbers): fetch or train the classifier again")
    return Wide(keys=keys.astype(np.uint32), **numbers)
