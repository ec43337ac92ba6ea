"""Open replies: the shipped ones are whole and sound, and a message only meets replies of its kind and address."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from models.subjects import SUBJECTS, TALK
from storage.presets import Preset, Presets
from training.data import posts, seed_check, seed_corpus, seed_open
from training.data.cleaning import profane
from training.data.emotions import Labelled
from training.data.seed_corpus import SeedError, SeedRow, folded
from training.data.seed_open import Message, subject_replies
from training.evaluation import talk

CELLS = [(kind, intensity) for kind in seed_open.KINDS for intensity in (1, 2, 3)]
ABOUT = [(f"{name}|{kind}", step) for name in SUBJECTS for kind in seed_open.OF_SUBJECTS for step in (1, 2, 3)]
# «Пока» and «спасибо» are answered as the short lines are.
SAID = {name: kind for name, kind in TALK.items() if name not in seed_open.FOLLOWING}


def everything(preset: Preset) -> list[str]:
    """All replies of a preset."""
    both = (seed_open.replies(seed_open.FOLDER, preset), seed_open.subject_replies(seed_open.FOLDER, preset))
    return [text for known in both for replies in known.values() for _, text in replies]


@pytest.fixture(scope="module")
def open_rows(presets: Presets) -> list[SeedRow]:
    """What `seed_open` gives, made once."""
    return seed_open.rows(presets)


@pytest.fixture(scope="module")
def kinds_rows(presets: Presets) -> list[SeedRow]:
    """What `seed_kinds` gives, made once: nearly 200,000 rows."""
    return seed_open.rows(presets, share="seed_kinds")


@pytest.fixture(scope="module")
def about_rows(presets: Presets) -> list[SeedRow]:
    """What `seed_about` gives, made once."""
    return seed_open.rows(presets, share="seed_about")


def test_the_shipped_ones_fill_every_cell_for_ty_and_vy(presets: Presets) -> None:
    for preset in presets.presets:
        known = seed_open.replies(seed_open.FOLDER, preset)
        for cell in CELLS:
            for register in "тв":
                fit = [text for own, text in known[cell] if own in (register, "-")]
                assert fit, f"{preset.id} {cell}: nothing for «{register}»"
        about = seed_open.subject_replies(seed_open.FOLDER, preset)
        bare = [cell for cell in ABOUT if not about.get(cell)]
        assert not bare, f"{preset.id}: no reply in {bare}"
        for name, kind in SAID.items():
            for step in (1, 2, 3):
                assert len(about[f"{name}|{kind}", step]) > 1
                for register in "тв":
                    assert [text for own, text in about[f"{name}|{kind}", step] if own in (register, "-")]
        texts = everything(preset)
        assert len({folded(text) for text in texts}) == len(texts)


def test_the_shipped_words_are_russian_and_fit_to_print(presets: Presets) -> None:
    known, own = seed_check.dictionary(), set(seed_check.KNOWN_WORDS.read_text(encoding="utf-8").split())
    asked = seed_open.messages()
    # Short lines are misspelt on purpose: so people type.
    texts = [one.text for one in asked if one.kind in seed_open.FIRST]
    for preset in presets.presets:
        texts += everything(preset)
    assert not [one.text for one in asked if profane(one.text)]
    assert not [text for text in texts if profane(text)]
    words = {word for text in texts for word in seed_check.words(text)}
    assert not sorted(word for word in words if not (known(word) or word in own or all(map(known, word.split("-")))))


def test_the_shipped_replies_are_of_at_most_four_sentences(presets: Presets) -> None:
    texts = [text for preset in presets.presets for text in everything(preset)]
    assert not [text for text in texts if seed_check.sentences(text) > seed_check.SENTENCES]


def test_what_is_measured_with_is_not_learned(
    presets: Presets, open_rows: list[SeedRow], kinds_rows: list[SeedRow]
) -> None:
    asked = {
        folded(line)
        for which in talk.SETS
        for chat in talk.chats(presets, which)
        # What follows in the fresh chats is partly what everybody types: «да», «вчера».
        for line in (chat.lines[:1] if which == "fresh" else chat.lines)
    }
    for row in seed_corpus.split(seed_corpus.load())[1]:
        asked |= {folded(row.turns[-1].text), *map(folded, row.wordings)}
    given = (seed_open.messages(), seed_open.broad())
    own, broad = ([folded(one.text) for one in part if not one.held_out] for part in given)
    assert not asked & set(own) and not asked & set(broad)
    assert len(set(own)) == len(own) > 3000 and len(set(broad)) > 8000
    one = presets.model_copy(update={"presets": presets.presets[:1]})  # every preset has the same messages
    about = {row.message for row in seed_open.rows(one, share="seed_subjects")}
    assert {folded(text) for text in about} == set(own) | set(broad)
    assert {folded(row.message) for row in open_rows} < set(own)
    more = {folded(text) for text in {row.message for row in kinds_rows}}
    posted = {folded(one.text) for one in seed_open.posted() if not one.held_out}
    assert not asked & posted and len(posted) > 6000
    typed = {folded(one.text) for one in seed_open.typed() if not one.held_out}
    assert not typed & {*asked, *own, *broad, *posted}
    first = {folded(one.text) for one in given[0] if not one.held_out and one.kind in seed_open.FIRST}
    assert more == first | typed | set(broad) | posted
    assert not {folded(post.text) for post in posts.load()[1]} & more


def test_short_lines_are_a_share_of_their_own(presets: Presets, kinds_rows: list[SeedRow]) -> None:
    short = {one.text for one in seed_open.messages() if one.kind in seed_open.FOLLOWING and not one.held_out}
    assert {row.message for row in seed_open.rows(presets, share="seed_follow")} == short
    assert not short & {row.message for row in kinds_rows}


def test_what_the_model_is_told_the_subject_of_is_mostly_answered_by_it(
    presets: Presets, about_rows: list[SeedRow]
) -> None:
    told = about_rows
    own = {
        preset.title: {text for given in subject_replies(seed_open.FOLDER, preset).values() for _, text in given}
        for preset in presets.presets
    }
    assert {row.subject for row in told} == set(SUBJECTS)
    assert {row.emotion for row in told} == set(own)
    about = sum(row.reply in own[row.emotion] for row in told) / len(told)
    assert seed_open.OWN_IF_TOLD - 0.1 < about < seed_open.OWN_IF_TOLD + 0.05
    assert [one["about"] for one in seed_open.hints(told[:2000], "seed_about")] == [row.subject for row in told[:2000]]


def test_what_is_said_to_the_bot_itself_is_answered_as_such(presets: Presets) -> None:
    rows = seed_open.rows(presets, share="seed_talk")
    assert {row.subject for row in rows} == set(TALK)
    assert [one["about"] for one in seed_open.hints(rows, "seed_talk")] == [row.subject for row in rows]
    for preset in presets.presets:
        about = seed_open.subject_replies(seed_open.FOLDER, preset)
        short = seed_open.replies(seed_open.FOLDER, preset)
        for row in rows:
            if row.emotion == preset.title:
                name = row.subject
                fit = about[f"{name}|{SAID[name]}", row.intensity] if name in SAID else short[name, row.intensity]
                assert row.reply in [text for _, text in fit]
    said = Message("typed.txt", 1, "good", "hello", "т", "ура, привет")
    assert seed_open.topic(said) == "" and seed_open.topic(replace(said, kind="plain")) == "hello"
    assert seed_open.topic(replace(said, kind="bye", subject="-")) == "bye"


def test_the_model_is_mostly_told_the_kind_of_a_message_and_of_a_short_line_its_tone(
    presets: Presets, kinds_rows: list[SeedRow], about_rows: list[SeedRow]
) -> None:
    kinds = {one.text: one.kind for one in (*seed_open.messages(), *seed_open.typed(), *seed_open.broad())}
    given = {"seed_kinds": kinds_rows, "seed_about": about_rows}
    for share in seed_open.TOLD:
        rows = given.get(share) or seed_open.rows(presets, share=share)
        rows = [row for row in rows[:: max(1, len(rows) // 4000)] if row.message in kinds]
        hints = seed_open.hints(rows, share)
        said = [(one["told"], kinds[row.message]) for one, row in zip(hints, rows, strict=True) if "told" in one]
        assert abs(len(said) / len(rows) - seed_open.KIND_TOLD) < 0.03
        assert all(told == seed_open.tone(kind) for told, kind in said)
        assert ("about" in hints[0]) == (share in ("seed_about", "seed_talk"))
    assert [seed_open.tone(kind) for kind in ("bad", "thanks", "worse", "yes")] == ["bad", "good", "bad", "plain"]


def test_typed_messages_are_of_all_kinds_and_fit_to_print() -> None:
    given = seed_open.typed()
    assert len({folded(one.text) for one in given}) == len(given) > 2500
    counts = Counter((one.kind, one.register) for one in given)
    assert min(counts[kind, register] for kind in seed_open.FIRST for register in "тв") >= 10
    assert not [one.text for one in given if profane(one.text) or len(one.text) > 160]


@pytest.mark.parametrize("line", ["good|т|ура", "yes|-|т|ага", "good|зоопарк|т|ура", "good|-|-|ура", "good|-|т|"])
def test_a_wrong_typed_line_is_told_with_its_place(line: str, tmp_path: Path) -> None:
    assert seed_open.typed(tmp_path) == []
    (tmp_path / "typed.txt").write_text(f"good|feast|т|ура\n{line}\n", encoding="utf-8")
    with pytest.raises(SeedError, match=r"typed\.txt:2: expected"):
        seed_open.typed(tmp_path)


def test_a_post_has_a_kind_by_its_emotions(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [
        ("joy", "Ура, приняли!", "good"),
        ("joy,surprise", "Ничего себе, ваш торт вышел!", "good"),
        ("fear,surprise", "Ой, кто там", "bad"),
        ("disgust", "В супе волос", "bad"),
        ("neutral", "Стоит чайник", "plain"),
        ("neutral", "Где чайник? )", None),
        ("joy,sadness", "Приехал и сразу уехал", None),
        ("surprise", "Чего", None),
    ]
    learned = [Labelled(text, frozenset(labels.split(",")), "posts") for labels, text, _ in given]
    monkeypatch.setattr(posts, "load", lambda: (learned, []))
    found = {one.text: (one.kind, one.register) for one in seed_open.posted()}
    assert found == {text: (kind, "в" if "ваш" in text else "т") for _, text, kind in given if kind}


def test_many_more_messages_meet_the_same_replies(
    presets: Presets, open_rows: list[SeedRow], kinds_rows: list[SeedRow]
) -> None:
    rows = kinds_rows
    for row in rows[:: len(rows) // 500]:
        preset = presets.find(row.emotion)
        assert isinstance(preset, Preset)
        known = seed_open.replies(seed_open.FOLDER, preset)
        assert any(row.reply == text for kind in seed_open.FIRST for _, text in known[kind, row.intensity])
    assert len({row.message for row in rows}) > 7 * len({row.message for row in open_rows})
    times = Counter((row.source, row.message, row.emotion) for row in rows)
    assert {n for (source, *_), n in times.items() if source == seed_open.POSTS} == {1}
    assert {n for (source, *_), n in times.items() if source == seed_open.TYPED} == {3}


def test_a_message_meets_replies_of_its_kind_and_address(presets: Presets, tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_text("bad|health|т|сломал ногу\ngood|-|в|у вас весело\n", encoding="utf-8")
    (tmp_path / "subjects").mkdir()
    for preset in presets.presets:
        lines = [
            f"{kind}|{intensity}|{register}|{kind} {intensity} {register} {preset.id}"
            for kind, intensity in CELLS
            for register in "тв-"
        ]
        (tmp_path / f"{preset.id}.txt").write_text("\n".join(lines), encoding="utf-8")
        (tmp_path / "subjects" / f"{preset.id}.txt").write_text("", encoding="utf-8")
    rows = seed_open.rows(presets, tmp_path)
    assert rows == seed_open.rows(presets, tmp_path)
    assert len(rows) == 2 * 3 * len(presets.presets)
    for row in rows:
        kind, intensity, register, named = row.reply.split()
        assert (kind, register) in {("bad", "т"), ("bad", "-")} if row.line == 1 else {("good", "в"), ("good", "-")}
        assert int(intensity) == row.intensity
        found = presets.find(row.emotion)
        assert found is not None and found.id == named


def test_an_operators_own_preset_has_no_rows(presets: Presets, open_rows: list[SeedRow]) -> None:
    own = presets.presets[1].model_copy(update={"id": "irony", "title": "ирония"})
    more = presets.model_copy(update={"presets": (*presets.presets, own)})
    assert seed_open.rows(more) == open_rows


def test_the_narrow_rows_are_of_the_first_files() -> None:
    rows = seed_corpus.load()
    kept = {row.source for row in seed_corpus.narrow(rows)}
    left = {row.source for row in rows} - kept
    assert max(kept)[:2] == "33" and min(left)[:2] == "34"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bad|-|т", "messages.txt:1: expected 4 fields"),
        ("sad|-|т|сломал ногу", "messages.txt:1: expected kind"),
        ("bad|-|ты|сломал ногу", "messages.txt:1: expected kind"),
        ("bad|leg|т|сломал ногу", "messages.txt:1: expected kind"),
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


def test_two_times_in_five_a_message_meets_a_reply_of_its_subject(presets: Presets, tmp_path: Path) -> None:
    texts = [text for number in range(300) if not seed_corpus.held_out(text := f"болит {number}")]
    asked = [f"bad|health|{'тв'[number % 2]}|{text}" for number, text in enumerate(texts)]
    (tmp_path / "messages.txt").write_text("\n".join(asked), encoding="utf-8")
    (tmp_path / "subjects").mkdir()
    preset = presets.presets[0]
    lines = [f"{kind}|{intensity}|-|открыто" for kind, intensity in CELLS]
    (tmp_path / f"{preset.id}.txt").write_text("\n".join(lines), encoding="utf-8")
    about = [f"health|bad|{intensity}|т|о здоровье" for intensity in (1, 2)] + ["health|good|3|-|не о том"]
    (tmp_path / "subjects" / f"{preset.id}.txt").write_text("\n".join(about), encoding="utf-8")
    assert {row.reply for row in seed_open.rows(presets, tmp_path)} == {"открыто"}
    found = seed_open.rows(presets, tmp_path, share="seed_subjects")
    assert len(found) == 3 * len(texts)
    assert {row.reply for row in found if row.register == "вы" or row.intensity == 3} == {"открыто"}
    own = [row.reply == "о здоровье" for row in found if row.register == "ты" and row.intensity < 3]
    assert 0.3 < sum(own) / len(own) < 0.5


def test_messages_of_the_seed_corpus_come_in_all_their_wordings_and_are_held_out_together() -> None:
    truth = {row.message: row.held_out for row in seed_corpus.reworded(seed_corpus.load())}
    found = seed_open.broad()
    assert len({one.text for one in found}) > 3 * len({one.first for one in found})
    assert all(one.held_out == truth[one.text] for one in found)


@pytest.mark.parametrize("line", ["bad|health|такого никто не писал", "sad|health|{known}", "bad|leg|{known}"])
def test_a_wrong_line_about_the_seed_corpus_is_named(line: str, tmp_path: Path) -> None:
    known = next(row.message for row in seed_corpus.load() if len(row.turns) == 1)
    (tmp_path / "broad.txt").write_text(line.format(known=known) + "\n", encoding="utf-8")
    with pytest.raises(SeedError, match=r"broad\.txt:1: expected kind"):
        seed_open.broad(tmp_path)


def test_a_wrong_reply_about_a_subject_is_named(presets: Presets, tmp_path: Path) -> None:
    preset = presets.presets[0]
    (tmp_path / "subjects").mkdir()
    (tmp_path / "subjects" / f"{preset.id}.txt").write_text("leg|bad|2|т|Ох.\n", encoding="utf-8")
    with pytest.raises(SeedError, match=rf"subjects/{preset.id}\.txt:1: expected subject"):
        seed_open.subject_replies(tmp_path, preset)


def test_a_cell_without_a_reply_is_named(presets: Presets, tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_text("bad|-|в|сломали ногу\n", encoding="utf-8")
    (tmp_path / f"{presets.presets[0].id}.txt").write_text("bad|1|т|Ох.\n", encoding="utf-8")
    with pytest.raises(SeedError, match=r"no reply fits bad, intensity 1, «в»"):
        seed_open.rows(presets, tmp_path)
