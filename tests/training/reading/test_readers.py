"""Each reader on its usual spellings, and what it says of a record that it cannot take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.contracts import Turn
from tests.training.reading.conftest import Read
from training.data.reading import ReadError
from training.data.reading.fields import judged
from training.data.rows import Answer, Dialogue, Feedback, Pair, Text, dump

Jsonl = Callable[..., Path]
ASKED = {"role": "user", "content": "Который час?"}
TOLD = {"role": "assistant", "content": "Полдень."}


def user(text: str) -> Turn:
    return Turn(role="user", text=text)


def bot(text: str) -> Turn:
    return Turn(role="assistant", text=text)


def test_instruction_with_input_scores_and_tags(jsonl: Jsonl, read: Read) -> None:
    path = jsonl(
        {"id": 7, "instruction": "Переведи", "input": "cat", "output": "кот", "opus_score": 9, "model": "м", "n": None}
    )
    assert read(path) == [
        Answer(
            prompt=(user("Переведи\n\ncat"),),
            answer="кот",
            origin="data.jsonl:1",
            scores={"opus_score": 9.0},
            tags={"model": "м"},
        )
    ]


def test_fields_can_have_other_names_and_lie_deeper(jsonl: Jsonl, read: Read) -> None:
    path = jsonl({"Q": "Кто?", "meta": {"reply": {"text": "Я."}}, "answer": "не это"})
    (row,) = read(path, fields={"question": "q", "answer": "meta.reply.text"}, read="qa")
    assert isinstance(row, Answer)
    assert (row.prompt, row.answer) == ((user("Кто?"),), "Я.")


def test_chat_gives_the_last_answer(jsonl: Jsonl, read: Read) -> None:
    messages = [{"role": "system", "content": "Будь добр."}, ASKED, TOLD, {"role": "user", "content": "Спасибо"}]
    (row,) = read(jsonl({"messages": messages}))
    assert isinstance(row, Answer)
    assert (row.system, row.prompt, row.answer) == ("Будь добр.", (user("Который час?"),), "Полдень.")


def test_chat_as_a_dialogue_keeps_every_turn(jsonl: Jsonl, read: Read) -> None:
    messages = [ASKED, {"role": "user", "content": "Ну?"}, TOLD, {"role": "user", "content": "Спасибо"}]
    (row,) = read(jsonl({"messages": messages}), kind="dialogue")
    assert isinstance(row, Dialogue)
    assert row.turns == (user("Который час?\nНу?"), bot("Полдень."), user("Спасибо"))


def test_chat_in_other_spellings(jsonl: Jsonl, read: Read) -> None:
    parts = [{"type": "text", "text": "Привет"}]
    path = jsonl(
        {"conversations": [{"from": "human", "value": "Привет"}, {"from": "gpt", "value": "Здравствуй"}]},
        {"conversation": [{"role": "user", "content": parts}, {"role": "bot", "content": "Здравствуй"}]},
    )
    assert [(row.prompt, row.answer) for row in read(path) if isinstance(row, Answer)] == [
        ((user("Привет"),), "Здравствуй")
    ] * 2


def test_pairs_plain_and_conversational_are_the_same(jsonl: Jsonl, read: Read) -> None:
    worse = {"role": "assistant", "content": "Отстань."}
    path = jsonl(
        {"prompt": "Который час?", "chosen": "Полдень.", "rejected": "Отстань."},
        {"prompt": [ASKED], "chosen": [TOLD], "rejected": [worse]},
        {"chosen": [ASKED, TOLD], "rejected": [ASKED, worse]},
        {"prompt": "Который час?", "chosen": [ASKED, TOLD], "rejected": [ASKED, worse]},
    )
    rows = [row for row in read(path) if isinstance(row, Pair)]
    assert [(row.prompt, row.chosen, row.rejected) for row in rows] == [
        ((user("Который час?"),), "Полдень.", "Отстань.")
    ] * 4


def test_feedback_in_words_and_thumbs(jsonl: Jsonl, read: Read) -> None:
    path = jsonl(
        {"prompt": "Как?", "completion": "Так.", "label": True},
        {"prompt": [ASKED], "completion": [TOLD], "label": "👎🏽"},
        {"prompt": "Как?", "answer": "Так.", "thumb": "да"},
    )
    assert [row.desirable for row in read(path) if isinstance(row, Feedback)] == [True, False, True]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True), (0, False), (1.0, True), (-1, False), (5, None), (None, None), ([], None), (0.5, None),
        ("Да.", True), ("НЕ РЕШЕНО", False), ("не  знаю", None), ("👍️", True), ("👎🏿", False), ("-1", False),
        ("", None),
    ],
)  # fmt: skip
def test_yes_and_no(value: Any, expected: bool | None) -> None:
    assert judged(value) is expected


def test_dialogues_alternate_or_name_their_speakers(jsonl: Jsonl, read: Read) -> None:
    path = jsonl(
        {"turns": ["Привет", "Здравствуй", "Как ты?"]},
        {"turns": [{"role": "user", "text": "Привет"}, {"role": "assistant", "text": "Здравствуй"}]},
        {"turns": [{"speaker": "Анна", "text": "Привет"}, {"speaker": "Пётр", "text": "Здравствуй"}]},
    )
    short = (user("Привет"), bot("Здравствуй"))
    assert [row.turns for row in read(path) if isinstance(row, Dialogue)] == [(*short, user("Как ты?")), short, short]
    (first, *_) = read(path, first="assistant", limit=1)
    assert isinstance(first, Dialogue)
    assert first.turns[0] == bot("Привет")


def test_a_dialogue_with_a_reply_in_an_emotion(jsonl: Jsonl, read: Read) -> None:
    turns = [{"role": "user", "text": "Ура!"}]
    path = jsonl({"turns": turns, "reply": "Поздравляю!", "emotion": "Радость", "intensity": 3, "register": "ты"})
    assert read(path) == [
        Answer(
            prompt=(user("Ура!"),),
            answer="Поздравляю!",
            emotion="joy",
            intensity=3,
            origin="data.jsonl:1",
            tags={"register": "ты"},
        )
    ]


def test_texts_with_and_without_labels(jsonl: Jsonl, read: Read) -> None:
    path = jsonl(
        {"text": "Дождь."},
        {"text": "Ура!", "labels": ["joy"]},
        {"text": "Стол.", "labels": []},
        {"text": "Ах!", "label": "joy, surprise"},
        {"text": "Ой", "intensity": {"fear": 2, "joy": 0}},
    )
    rows = [row for row in read(path) if isinstance(row, Text)]
    assert [row.labels for row in rows] == [None, ("joy",), (), ("joy", "surprise"), ("fear",)]
    assert rows[-1].scores == {"fear": 2.0, "joy": 0.0}


def test_emotion_sets_come_down_to_the_seven_labels(jsonl: Jsonl, read: Read) -> None:
    path = jsonl(
        {"text": "Ура!", "labels": ["excitement", "neutral"]},
        {"text": "Стол.", "labels": []},
        {"text": "Хм", "labels": ["curiosity"]},
    )
    assert [row.labels for row in read(path, read="emotions") if isinstance(row, Text)] == [("joy",), ("neutral",)]


def test_the_products_own_rows_are_read_as_they_are(tmp_path: Path, read: Read) -> None:
    row = Feedback(prompt=(user("Как?"),), answer="Так.", desirable=False, person="p1", tags={"outcome": "failure"})
    path = tmp_path / "rows.jsonl"
    path.write_text(dump(row) + "\n", encoding="utf-8")
    assert read(path) == [row.model_copy(update={"origin": "rows.jsonl:1"})]
    path.write_text('{"kind": "feedback", "prompt": [], "answer": "а", "desirable": true}\n', encoding="utf-8")
    with pytest.raises(ReadError, match=r"rows\.jsonl:1: feedback\.prompt: "):
        read(path)


def test_the_seed_corpus_comes_with_preset_ids_and_its_split(read: Read) -> None:
    rows = [row for row in read(None, read="seed") if isinstance(row, Answer)]
    assert {row.emotion for row in rows} == {
        "neutral", "joy", "sadness", "surprise", "fear", "anger", "disgust", "sympathy"
    }  # fmt: skip
    held = [row for row in rows if row.tags["split"] == "held_out"]
    assert 0.05 < len(held) / len(rows) < 0.15
    prompts = {row.prompt for row in held}
    assert not any(row.prompt in prompts for row in rows if row.tags["split"] == "train")


def test_the_seed_corpus_as_pairs(read: Read) -> None:
    answers = [row for row in read(None, read="seed") if isinstance(row, Answer)]
    written = {(row.prompt, row.answer): row for row in answers}
    pairs = [row for row in read(None, read="seed", kind="pair", limit=50) if isinstance(row, Pair)]
    assert len(pairs) == 50
    for pair in pairs:
        better, worse = written[pair.prompt, pair.chosen], written[pair.prompt, pair.rejected]
        assert (pair.emotion, pair.tags["split"]) == (better.emotion, better.tags["split"])
        assert better.emotion != worse.emotion


@pytest.mark.parametrize(
    ("reader", "record", "message"),
    [
        ("instruction", {"instruction": 5, "output": "а"}, r"instruction: expected a text, got a number"),
        ("instruction", {"instruction": "а"}, r"output: is missing; fields here: instruction; map another one"),
        ("qa", {"question": " ", "answer": "а"}, r"question: expected a text, got an empty one"),
        ("qa", {"question": "\ud83d", "answer": "а"}, r"question: holds half a character"),
        ("chat", {"messages": []}, r"messages: expected a list of messages with role and content, got an empty list"),
        ("chat", {"messages": [{"role": "tool", "content": "а"}]}, r"messages\[0\]\.role: expected system, user or"),
        ("chat", {"messages": [ASKED]}, r"messages: expected an assistant's message after a user's"),
        ("chat", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, r"messages\[0\]\.content: .*image"),
        ("pairs", {"prompt": "а", "chosen": "б", "rejected": "б"}, r"rejected: the same as chosen"),
        ("pairs", {"chosen": "б", "rejected": "в"}, r"prompt: expected a text or a list of messages"),
        ("pairs", {"chosen": [ASKED, TOLD], "rejected": [TOLD]}, r"prompt: is missing, and chosen and rejected do not"),
        ("feedback", {"prompt": "а", "completion": "б", "label": "может"}, r"label: expected yes or no"),
        ("dialogue", {"turns": ["а"]}, r"turns: expected a list of two turns or more, got a list of 1"),
        ("dialogue", {"turns": ["а", None]}, r"turns\[1\]: expected a text, got nothing \(null\)"),
        ("dialogue", {"turns": [{"speaker": n, "text": "а"} for n in "абв"]}, r"turns: expected two speakers, got 3"),
        ("text", {"text": "а", "labels": {"joy": 1}}, r"labels: expected a label or a list of labels, got an object"),
        ("qa", {"question": "а", "answer": "б", "emotion": "скука"}, r"emotion: expected a preset \(neutral, joy"),
        ("qa", {"question": "а", "answer": "б", "emotion": "joy", "intensity": 4}, r"intensity: expected 1, 2 or 3"),
    ],
)
def test_faults_name_line_field_and_what_is_expected(
    jsonl: Jsonl, read: Read, reader: str, record: dict[str, Any], message: str
) -> None:
    import json

    path = jsonl()
    path.write_text("\n" + json.dumps(record) + "\n", encoding="utf-8")
    with pytest.raises(ReadError, match=r"data\.jsonl:2: " + message):
        read(path, read=reader)


def test_an_unwanted_emotion_field_can_be_ignored(jsonl: Jsonl, read: Read) -> None:
    path = jsonl({"question": "а", "answer": "б", "emotion": "скука"})
    assert read(path, fields={"emotion": None})[0].emotion is None
