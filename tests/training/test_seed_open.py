"""Open replies: the shipped ones are whole and sound, and a message only meets replies of its kind and address."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.presets import Presets
from training.data import seed_check, seed_corpus, seed_open
from training.data.cleaning import profane
from training.data.seed_corpus import SeedError, folded
from training.evaluation import talk

CELLS = [(kind, intensity) for kind in seed_open.KINDS for intensity in (1, 2, 3)]


def test_the_shipped_ones_fill_every_cell_for_ty_and_vy(presets: Presets) -> None:
    for preset in presets.presets:
        known = seed_open.replies(seed_open.FOLDER, preset)
        for cell in CELLS:
            for register in "тв":
                fit = [text for own, text in known[cell] if own in (register, "-")]
                assert fit, f"{preset.id} {cell}: nothing for «{register}»"
        texts = [text for replies in known.values() for _, text in replies]
        assert len({folded(text) for text in texts}) == len(texts)


def test_the_shipped_words_are_russian_and_fit_to_print(presets: Presets) -> None:
    known, own = seed_check.dictionary(), set(seed_check.KNOWN_WORDS.read_text(encoding="utf-8").split())
    texts = [one.text for one in seed_open.messages()]
    for preset in presets.presets:
        texts += [text for replies in seed_open.replies(seed_open.FOLDER, preset).values() for _, text in replies]
    assert not [text for text in texts if profane(text)]
    words = {word for text in texts for word in seed_check.words(text)}
    assert not sorted(word for word in words if not (known(word) or word in own or all(map(known, word.split("-")))))


def test_what_is_measured_with_is_not_learned(presets: Presets) -> None:
    measured = [talk.MESSAGES, talk.WIDE, talk.CHATS]
    asked = {folded(line) for path in measured for line in path.read_text(encoding="utf-8").splitlines()}
    for row in seed_corpus.split(seed_corpus.load())[1]:
        asked |= {folded(row.turns[-1].text), *map(folded, row.wordings)}
    learned = [folded(one.text) for one in seed_open.messages() if not seed_corpus.held_out(one.text)]
    assert not asked & set(learned)
    rows = seed_open.rows(presets)
    assert {folded(row.message) for row in rows} == set(learned)
    assert len(set(learned)) == len(learned) > 2000


def test_a_message_meets_replies_of_its_kind_and_address(presets: Presets, tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_text("bad|т|сломал ногу\ngood|в|у вас весело\n", encoding="utf-8")
    for preset in presets.presets:
        lines = [
            f"{kind}|{intensity}|{register}|{kind} {intensity} {register} {preset.id}"
            for kind, intensity in CELLS
            for register in "тв-"
        ]
        (tmp_path / f"{preset.id}.txt").write_text("\n".join(lines), encoding="utf-8")
    rows = seed_open.rows(presets, tmp_path)
    assert rows == seed_open.rows(presets, tmp_path)
    assert len(rows) == 2 * 3 * len(presets.presets)
    for row in rows:
        kind, intensity, register, preset = row.reply.split()
        assert (kind, register) in {("bad", "т"), ("bad", "-")} if row.line == 1 else {("good", "в"), ("good", "-")}
        assert int(intensity) == row.intensity
        found = presets.find(row.emotion)
        assert found is not None and found.id == preset


def test_an_operators_own_preset_has_no_rows(presets: Presets) -> None:
    own = presets.presets[1].model_copy(update={"id": "irony", "title": "ирония"})
    more = presets.model_copy(update={"presets": (*presets.presets, own)})
    assert seed_open.rows(more) == seed_open.rows(presets)


def test_the_narrow_rows_are_of_the_first_files() -> None:
    rows = seed_corpus.load()
    kept = {row.source for row in seed_corpus.narrow(rows)}
    left = {row.source for row in rows} - kept
    assert max(kept)[:2] == "33" and min(left)[:2] == "34"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bad|т", "messages.txt:1: expected 3 fields"),
        ("sad|т|сломал ногу", "messages.txt:1: expected kind"),
        ("bad|ты|сломал ногу", "messages.txt:1: expected kind"),
    ],
)
def test_a_wrong_line_is_named(line: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(SeedError, match=told):
        seed_open.messages(tmp_path)


def test_a_wrong_reply_is_named(presets: Presets, tmp_path: Path) -> None:
    preset = presets.presets[0]
    (tmp_path / f"{preset.id}.txt").write_text("bad|4|т|Ох.\n", encoding="utf-8")
    with pytest.raises(SeedError, match=f"{preset.id}.txt:1: expected kind"):
        seed_open.replies(tmp_path, preset)
