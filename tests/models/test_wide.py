"""The wide part of a classifier: its features by hand, hashes that every process agrees on, damage that is named."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.errors import ClassifierBroken
from models.sequence_classifier import SequenceClassifier
from models.wide import FILE, Wide, blocks, fold, read
from tests.models.tiny import save_classifier

LABELS = ("neutral", "joy", "sadness")


def word(text: str) -> int:
    return crc32(text.encode("utf-16-le"), 1)


def letters(text: str) -> int:
    return crc32(text.encode("utf-16-le"))


def wide(keys: dict[int, tuple[float, tuple[float, float, float]]], share: float = 1.0) -> Wide:
    """`keys`: hash → rarity and weights."""
    order = sorted(keys)
    return Wide(
        keys=np.array(order, dtype=np.uint32),
        rarity=np.array([keys[key][0] for key in order], dtype=np.float32),
        weights=np.array([keys[key][1] for key in order], dtype=np.float32),
        bias=np.array([0.5, -1.0, 0.0], dtype=np.float32),
        share=np.full(3, share, dtype=np.float32),
    )


def test_letter_case_yo_and_shouting_are_folded() -> None:
    assert fold("Ещёёёёё УРРРРААААА!!!!!") == "ещее урраа!!!!!"
    same, other = (set(blocks(text)[0][0].tolist()) for text in ("ура !!!!!!", "Ура !!!"))
    assert same == other == {word("ура"), word("!!!"), word("ура !!!")}


def test_letters_are_runs_of_two_to_five_within_a_word() -> None:
    runs = {" н", "не", "е ", " не", "не ", " не "}
    assert set(blocks("не")[1][0].tolist()) == {letters(run) for run in runs}
    assert dict(zip(*(part.tolist() for part in blocks("да да")[1]), strict=True))[letters(" да ")] == pytest.approx(
        1 + math.log(2)
    )


def test_a_case_computed_by_hand() -> None:
    made = wide(
        {
            word("ура"): (3.0, (0.0, 2.0, 0.0)),
            word("да"): (4.0, (0.0, 0.0, -1.0)),
            letters("ра"): (2.0, (0.25, 0.0, 0.0)),
        }
    )
    # Words «ура» and «да»: (3, 4) over its length 5. Letters: «ра» alone, so one. «нет» is unknown.
    found = made.logits(["Ура, да", "нет", ""])
    assert found[0] == pytest.approx([0.5 + 0.25, -1.0 + 2.0 * 0.6, -1.0 * 0.8], abs=1e-6)
    assert found[1] == pytest.approx([0.5, -1.0, 0.0]) and found[2] == pytest.approx([0.5, -1.0, 0.0])


def test_hashes_are_the_same_in_another_process() -> None:
    text = "Ёлки-палки, вот это да 😀 \udc80"
    code = f"from models.wide import blocks; import json; print(json.dumps([k.tolist() for k, _ in blocks({text!a})]))"
    for seed in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout
        assert json.loads(said) == [keys.tolist() for keys, _ in blocks(text)]
    assert crc32("ура".encode("utf-16-le"), 1) == 1122283023


def test_a_written_part_is_read_again(tmp_path: Path) -> None:
    made = wide({word("ура"): (3.0, (0.0, 2.0, 0.0)), word("да"): (4.0, (0.0, 0.0, -1.0))}, share=0.75)
    made.save(tmp_path, LABELS)
    again = read(tmp_path, LABELS)
    assert again is not None
    for name in ("keys", "rarity", "weights", "bias", "share"):
        assert (getattr(again, name) == getattr(made, name)).all()
    assert read(tmp_path / "elsewhere", LABELS) is None


def test_its_logits_are_added_to_the_networks_share(tmp_path: Path) -> None:
    plain = SequenceClassifier.load(str(save_classifier(tmp_path)))
    made = wide({word("ура"): (3.0, (0.0, 2.0, 0.0))}, share=0.5)
    made.save(tmp_path, LABELS)
    both = SequenceClassifier.load(str(tmp_path))
    texts = ["Мне грустно, и это долгий разговор", "Ура", "а"]
    sums = plain.network_logits(texts).numpy() * 0.5 + made.logits(texts)
    for row, found in zip(sums, both.classify(texts), strict=True):
        assert list(found.values()) == pytest.approx([1 / (1 + math.exp(-logit)) for logit in row], abs=1e-5)
    assert both.classify([]) == []
    assert both.id != plain.id, "answers must tell which of the two checked them"


@pytest.mark.parametrize("damage", ["bytes", "shape", "order", "numbers", "missing", "format", "labels"])
def test_damage_is_named_with_the_file(tmp_path: Path, damage: str) -> None:
    save_classifier(tmp_path)
    made = wide({word("ура"): (3.0, (0.0, 2.0, 0.0)), word("да"): (4.0, (0.0, 0.0, -1.0))})
    if damage == "order":
        made = replace(made, keys=made.keys[::-1].copy())
    if damage == "shape":
        made = replace(made, rarity=made.rarity[:1])
    if damage == "numbers":
        made = replace(made, bias=made.bias * np.float32("nan"))
    made.save(tmp_path, ("joy", "fear", "anger") if damage == "labels" else LABELS)
    file = tmp_path / FILE
    if damage == "bytes":
        file.write_bytes(file.read_bytes()[:40])
    if damage == "missing":
        tensors = load_file(file)
        del tensors["bias"]
        save_file(tensors, file, metadata={"format": "otklik-wide-1", "labels": ",".join(LABELS)})
    if damage == "format":
        save_file(load_file(file), file, metadata={"format": "something else"})
    with pytest.raises(ClassifierBroken, match=f"(?s)MODELS_CLASSIFIER|{FILE}") as raised:
        SequenceClassifier.load(str(tmp_path))
    assert FILE in str(raised.value)
