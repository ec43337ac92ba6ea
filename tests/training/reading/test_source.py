"""Sources as recipes have them: choosing the reader, bad rows, persons, limits, hashes, progress."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError

from storage.contracts import Turn
from storage.presets import Presets
from tests.training.reading.conftest import Read
from training.data import sets
from training.data.reading import ReadError, Source, hashes, open_source, preview
from training.data.rows import Answer
from training.recipes import RecipeError

Jsonl = Callable[..., Path]
GOOD = {"question": "Как?", "answer": "Так."}
BAD = {"question": 1, "answer": 2}


@pytest.mark.parametrize(
    ("record", "reader"),
    [
        (GOOD, "qa"),
        ({"prompt": "а", "completion": "б"}, "qa"),
        ({**GOOD, "solved": "да"}, "tickets"),
        ({**GOOD, "label": True}, "feedback"),
        ({"instruction": "а", "input": "", "output": "б"}, "instruction"),
        ({"messages": [{"role": "user", "content": "а"}, {"role": "assistant", "content": "б"}]}, "chat"),
        ({"prompt": "а", "chosen": "б", "rejected": "в"}, "pairs"),
        ({"turns": ["а", "б"]}, "dialogue"),
        ({"title": "а", "category": "к", "body": "б"}, "knowledge_base"),
        ({"text": "а"}, "text"),
        ({"kind": "text", "text": "а"}, "rows"),
    ],
)
def test_auto_takes_the_reader_that_the_first_record_fits_and_says_so(
    jsonl: Jsonl, presets: Presets, record: dict[str, str], reader: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        rows = open_source(Source(path=jsonl(record)), presets)
        assert len(list(rows)) == 1
    assert rows.reader == reader
    assert [entry["reader"] for entry in logs] == [reader]


def test_auto_goes_by_mapped_names(jsonl: Jsonl, presets: Presets) -> None:
    rows = open_source(Source(path=jsonl({"q": "а", "a": "б"}), fields={"question": "q", "answer": "a"}), presets)
    assert [(rows.reader, row.answer) for row in rows] == [("qa", "б")]  # type: ignore[attr-defined]


def test_auto_lists_the_readers_when_none_fits(jsonl: Jsonl, read: Read) -> None:
    with pytest.raises(ReadError, match=r"no reader fits these fields: foo, bar; (.|\n)*qa: question or prompt"):
        read(jsonl({"foo": 1, "bar": 2}))


def test_bad_rows_stop_with_all_faults_at_once(jsonl: Jsonl, read: Read) -> None:
    with pytest.raises(ReadError) as error:
        read(jsonl(GOOD, BAD, GOOD, {"question": "а"}), read="qa")
    assert str(error.value).splitlines()[1:] == [
        "  data.jsonl:2: question: expected a text, got a number",
        "  data.jsonl:2: answer: expected a text, got a number",
        "  data.jsonl:4: answer: is missing; fields here: question; map another one with `fields: {answer: NAME}`",
    ]


def test_no_more_than_the_first_faults_are_gathered(jsonl: Jsonl, read: Read) -> None:
    with pytest.raises(ReadError) as error:
        read(jsonl(GOOD, *[BAD] * 50))
    assert str(error.value).startswith("the first 20 faults")
    assert "data.jsonl:12:" not in str(error.value)


def test_bad_rows_are_skipped_and_counted_when_asked(jsonl: Jsonl, presets: Presets) -> None:
    path = jsonl(GOOD, BAD, [1], GOOD)
    with structlog.testing.capture_logs() as logs:
        rows = open_source(Source(path=path, read="qa", bad_rows="skip"), presets)
        assert len(list(rows)) == 2
    assert (rows.counts.records, rows.counts.skipped) == (4, 2)
    assert logs == [{"event": "bad rows skipped", "log_level": "warning", "source": "data.jsonl", "skipped": 2}]


def test_a_broken_file_stops_even_when_bad_rows_are_skipped(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.json").write_text('[{"question": "а", "answer": "б"}, {"quest', encoding="utf-8")
    with pytest.raises(ReadError, match=r"a\.json:1, row 2: no valid JSON"):
        read(tmp_path / "a.json", bad_rows="skip")


def test_unanswered_questions_are_left_out_not_bad(jsonl: Jsonl, presets: Presets) -> None:
    path = jsonl(GOOD, {"question": "Кто?", "answer": ""}, {"question": "Кто?", "answer": None})
    rows = open_source(Source(path=path), presets)
    assert (len(list(rows)), rows.counts.left_out) == (1, 2)
    assert str(rows.counts) == "3 records, 1 rows, 2 without an answer or label left out"


def test_persons_are_told_apart_without_their_names(jsonl: Jsonl, read: Read) -> None:
    path = jsonl(*({**GOOD, "user": name} for name in ("Анна", "Пётр", " Анна")))
    anna, peter, again = (row.person for row in read(path, person="user"))
    assert anna == again != peter
    assert len(anna) == 16 and "Анна" not in path.name + anna
    with pytest.raises(ReadError, match=r"data\.jsonl:1: author: expected whose words these are"):
        read(path, person="author")


def test_further_fields_become_tags_when_named(jsonl: Jsonl, read: Read) -> None:
    path = jsonl({**GOOD, "verse": False, "year": 1901, "author": "Чехов", "note": "…"})
    (row,) = read(path, tags=("verse", "author"))
    assert (row.tags, row.scores) == ({"verse": "false", "author": "Чехов"}, {"year": 1901.0})


def test_a_limit_ends_reading_early(jsonl: Jsonl, presets: Presets) -> None:
    rows = open_source(Source(path=jsonl(GOOD, GOOD, BAD), limit=2), presets)
    assert (len(list(rows)), rows.counts.records) == (2, 2)


def test_progress_grows_to_the_whole(tmp_path: Path, jsonl: Jsonl, presets: Presets, read: Read) -> None:
    jsonl(*[GOOD] * 3000, name="a.jsonl")
    jsonl(*[GOOD] * 3000, name="b.jsonl")
    rows = open_source(Source(path=tmp_path), presets)
    seen = [rows.fraction or 0.0 for _ in rows]
    assert seen == sorted(seen) and seen[0] < 0.2 and 0.3 < seen[3000] < 0.8
    assert rows.fraction == 1.0
    assert open_source(Source(read="seed"), presets).fraction is None


def test_of_a_prepared_set_only_the_training_rows_are_read(tmp_path: Path, read: Read) -> None:
    row = Answer(prompt=(Turn(role="user", text="Как?"),), answer="Так.")
    sets.write(tmp_path / "set", [row], [row.model_copy(update={"answer": "Тайна."})], {})
    assert [one.answer for one in read(tmp_path / "set") if isinstance(one, Answer)] == ["Так."]
    assert list(hashes(Source(path=tmp_path / "set"))) == ["train.jsonl"]


def test_hashes_are_of_every_file_by_its_name_inside(tmp_path: Path, jsonl: Jsonl) -> None:
    path = jsonl(GOOD)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hashes(Source(path=path)) == {"data.jsonl": digest}
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_bytes(path.read_bytes())
    assert hashes(Source(path=tmp_path)) == {"data.jsonl": digest, "sub/b.txt": digest}
    assert hashes(Source(path=tmp_path)) == hashes(Source(hub=str(tmp_path)))
    assert "01_greetings.txt" in hashes(Source(read="seed"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "give either `path` or `hub`"),
        ({"path": "a", "hub": "b"}, "give either `path` or `hub`"),
        ({"path": "a", "read": "qa", "kind": "dialogue"}, "reader qa: leave `kind` out"),
        ({"path": "a", "read": "chat", "kind": "feedback"}, "reader chat makes answer or dialogue rows"),
        ({"hub": "a", "read": "seed"}, "not from a hub"),
        ({"path": "a", "fild": {}}, "fild"),
    ],
)
def test_contradictory_sources_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Source.model_validate(keys)


def test_a_kind_that_the_chosen_reader_cannot_make_is_told(jsonl: Jsonl, read: Read) -> None:
    with pytest.raises(RecipeError, match=r"data\.jsonl: reader qa: leave `kind` out"):
        read(jsonl(GOOD), kind="dialogue")


def test_preview_counts_kinds_and_tells_whether_that_was_all(jsonl: Jsonl) -> None:
    path = jsonl(*({**GOOD, "user": f"u{number % 3}"} for number in range(10)))
    found = preview(Source(path=path, person="user"), 2)
    assert (found.reader, len(found.rows), found.whole) == ("qa", 2, True)
    assert (found.kinds["answer"].rows, len(found.kinds["answer"].persons), found.kinds["answer"].medians) == (
        10, 3, (4, 4)
    )  # fmt: skip
    some = preview(Source(path=path), 2, scanned=5)
    assert (some.kinds["answer"].rows, some.whole) == (5, False)
