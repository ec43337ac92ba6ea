import json
from collections import Counter
from pathlib import Path

import pytest

from training import cli
from training.data import seed_check, seed_corpus

BLOCK = """## работа · ты
> Меня повысили!
нейтрально 2: Поздравляю с новой должностью.
радость 3: Ура, вот это новость, празднуем сегодня же!
грусть 1: Жаль, что теперь мы будем реже видеться.
удивление 2: Серьёзно? Уже? Вот это скорость!
страх 2: А ты не боишься? Столько ответственности сразу.
злость 1: Наконец-то, сколько можно было тянуть.
отвращение 2: Фу, опять эти их планёрки с кислыми лицами.
сочувствие 2: Понимаю, как это волнительно, я рядом.
"""


def test_the_shipped_corpus_is_sound(seed_rows: list[seed_corpus.SeedRow]) -> None:
    assert len(seed_rows) >= 3000
    assert seed_check.check(seed_rows, seed_check.dictionary()) == []


def test_all_replies_to_a_message_are_on_one_side_of_the_split(seed_rows: list[seed_corpus.SeedRow]) -> None:
    train, held = seed_corpus.split(seed_rows)
    assert not {row.message for row in train} & {row.message for row in held}
    assert 0.06 < len(held) / len(seed_rows) < 0.14


def test_the_split_does_not_hang_on_case_or_punctuation() -> None:
    assert len({seed_corpus.held_out(text) for text in ("Всё хорошо!", "все хорошо", "ВСЁ  ХОРОШО…")}) == 1


def test_a_dialogue_keeps_its_speakers() -> None:
    (row,) = seed_corpus.parse("x.txt", "## еда · вы\n> Ужинали?\n< Ещё нет.\n> Пора бы\nгрусть 1: Эх, пора.\n")
    assert [turn.role for turn in row.turns] == ["user", "assistant", "user"]
    assert (row.register, row.emotion, row.intensity, row.reply) == ("вы", "грусть", 1, "Эх, пора.")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("> Привет\n", "x.txt:1"),
        ("## еда · ты\nгрусть 1: Эх.\n", "x.txt:2"),
        ("## еда · ты\n> Привет\nтоска 1: Эх.\n", "x.txt:3"),
        ("## еда · ты\n> Привет\nгрусть 4: Эх.\n", "x.txt:3"),
        ("## еда\n", "x.txt:1"),
        ("## еда · ты\n= Здравствуй\n", "x.txt:2"),
        ("## еда · ты\n> Привет\n= Здравствуй\n> Ужинал?\n", "x.txt:4"),
    ],
)
def test_a_wrong_line_is_named(text: str, place: str) -> None:
    with pytest.raises(seed_corpus.SeedError, match=place):
        list(seed_corpus.parse("x.txt", text))


def test_a_reply_answers_every_wording_of_the_last_line() -> None:
    text = (
        "## еда · ты\n> Привет\n< Привет.\n> Ужинал?\n= А поужинать успел?\n= Ел что-нибудь вечером?\nгрусть 1: Нет.\n"
    )
    rows = list(seed_corpus.reworded(seed_corpus.parse("x.txt", text)))
    assert [row.turns[-1].text for row in rows] == ["Ужинал?", "А поужинать успел?", "Ел что-нибудь вечером?"]
    assert {tuple(turn.text for turn in row.turns[:-1]) for row in rows} == {("Привет", "Привет.")}
    assert {row.reply for row in rows} == {"Нет."}


def test_messages_weigh_about_alike() -> None:
    many = "## еда · ты\n> Ужинал?\n= А поужинать успел?\n= Ел вечером?\n= Кушал?\nгрусть 1: Нет.\nрадость 2: Да!\n"
    few = "\n## сон · ты\n> Спишь?\n= Не спишь?\nгрусть 1: Нет.\n\n## сон · ты\n> Храпишь?\nстрах 1: Я?\n"
    rows = list(seed_corpus.reworded(seed_corpus.parse("x.txt", many + few)))
    evened = seed_corpus.evenly(rows)
    counts = Counter((row.first or row.message) for row in evened)
    assert counts == {"Ужинал?": 8, "Спишь?": 4, "Храпишь?": 2}
    assert set(evened) == set(rows)
    assert len(seed_corpus.evenly(rows, most=1)) == len(rows)
    assert seed_corpus.evenly([]) == []


def faults(text: str) -> str:
    rows = list(seed_corpus.parse("x.txt", text))
    checks = (seed_check.blocks, seed_check.duplicates, seed_check.rewordings, seed_check.wording)
    return "\n".join(fault for one in checks for fault in one(rows))


def test_the_sample_block_has_no_faults() -> None:
    assert faults(BLOCK) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("страх 2: А ты не боишься? Столько ответственности сразу.\n", "", "no reply in страх"),
        ("Жаль, что теперь мы будем реже видеться.", "Ура! Вот это новость: празднуем сегодня же", "almost the same"),
        ("Наконец-то, сколько можно было тянуть.", "Тяни!", "1 words"),
        ("Поздравляю с новой должностью.", "Поздравляю с новым оффером от HR.", "no part of plain Russian"),
        ("Вот это скорость!", "Ого! Да ну! Вот это скорость!", "more than 4 sentences"),
        ("я рядом", "обращайтесь", "cliché"),
        ("повысили!\n", "повысили!\n= меня повысили\n", "stands already"),
    ],
)
def test_faults_are_found(old: str, new: str, said: str) -> None:
    assert old in BLOCK
    assert said in faults(BLOCK.replace(old, new))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Серьёзно?! Уже… Ну-ну... Вот это скорость!!!", 4),
        ("Кричит: «Ура!» И всё (ну надо же!)", 2),
        ("Песенка «Ура! Каникулы!», да ещё и с припевом…", 2),
        ("И ни одной точки", 0),
    ],
)
def test_sentences_are_counted_where_they_end(text: str, count: int) -> None:
    assert seed_check.sentences(text) == count


def test_four_sentences_are_not_too_many() -> None:
    assert faults(BLOCK.replace("Вот это скорость!", "Ого! Вот это скорость!")) == ""


def test_misspelled_words_are_found() -> None:
    rows = list(seed_corpus.parse("x.txt", BLOCK.replace("скорость", "скрость")))
    found = seed_check.spelling(rows, seed_check.dictionary())
    assert [fault.rpartition(" ")[2] for fault in found] == ["'скрость'"]


@pytest.mark.parametrize(("said", "wrong"), [("Меня пвысили!", ["'пвысили'"]), ("Меня повысили, ураа!", [])])
def test_what_people_say_is_spelled_too_though_slang_may_stand_there(said: str, wrong: list[str]) -> None:
    rows = list(seed_corpus.parse("x.txt", BLOCK.replace("Меня повысили!", said)))
    found = seed_check.spelling(rows, seed_check.dictionary())
    assert [fault.rpartition(" ")[2] for fault in found] == wrong


def test_slang_is_not_for_replies() -> None:
    rows = list(seed_corpus.parse("x.txt", BLOCK.replace("скорость", "ураа")))
    found = seed_check.spelling(rows, seed_check.dictionary())
    assert [fault.rpartition(" ")[2] for fault in found] == ["'ураа'"]


def test_the_command_checks_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "01_work.txt").write_text(BLOCK.replace("радость 3", "радость 2"), encoding="utf-8")
    out = tmp_path / "seed.jsonl"
    assert cli.data(["seed", "--folder", str(tmp_path), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 8
    assert rows[1]["turns"] == [{"role": "user", "text": "Меня повысили!"}]
    assert rows[1]["intensity"] == 2
    assert cli.data(["seed", "--folder", str(tmp_path), "--check"]) == 1
    assert "the mean is" in capsys.readouterr().err
