"""Which answers speak of the subject that the template told."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.settings import STARTER
from storage.presets import Presets
from training.evaluation import kinds, subjects
from training.evaluation.starter import Drawn, Starter
from training.evaluation.subjects import ELSE, OPEN, OTHER, OWN


def test_a_reply_is_sorted_by_what_it_is_about(presets: Presets) -> None:
    joy = presets.get("joy")
    about, opened = subjects.about(joy), subjects.openly(joy)
    reply = next(text for text, own in about.items() if own == {"pets"})
    assert subjects.sort(reply.upper(), "pets", about, opened) == OWN
    assert subjects.sort(reply, "work", about, opened) == OTHER
    assert subjects.sort(reply, None, about, opened) == OTHER
    assert subjects.sort(next(iter(opened)), "pets", about, opened) == OPEN
    assert subjects.sort("Ничего такого никто не писал.", "pets", about, opened) == ELSE


def test_answers_are_counted_by_what_was_told(presets: Presets, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Собака сгрызла тапки", "Как думаешь, инопланетяне есть?"]
    monkeypatch.setattr(subjects, "told", lambda _: [(text, "bad") for text in texts])
    monkeypatch.setattr(subjects, "subjects_told", lambda _: ["pets", "-"])
    own = {preset.id: next(iter(subjects.about(preset))) for preset in presets.presets}

    class Said(Starter):
        def __init__(self) -> None:
            self.presets = presets

        def draw(self, asked, count, hints):  # type: ignore[no-untyped-def]
            return [Drawn(one, (), own[one.preset.id]) for one in asked]

    first, second, _, last = "\n".join(subjects.count(Said(), STARTER, "later", 4)).splitlines()
    assert first == "| later, told a subject | 4 | 4 | 0 | 0 | 0 |"
    assert second == "| later, told none | 4 | 0 | 4 | 0 | 0 |"
    assert last == "Of 4 answers to messages with a subject by hand, 4 (1.000) are about it."


@pytest.mark.parametrize("name", kinds.SETS)
def test_every_message_of_a_set_has_a_subject_or_none(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert len(kinds.subjects_told(name)) == len(kinds.told(name))
    for part in ("messages", "kinds"):
        (tmp_path / f"{name}_{part}.txt").write_text((kinds.HERE / f"{name}_{part}.txt").read_text(encoding="utf-8"))
    (tmp_path / f"{name}_subjects.txt").write_text("pets\n")
    monkeypatch.setattr(kinds, "HERE", tmp_path)
    with pytest.raises(ValueError, match=f"{name}_subjects"):
        kinds.subjects_told(name)
