"""`otklik ratings` from the bot's database, a feedback log and published counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.contracts import ChatReply, ChatRequest, Provenance, Rating, RatingStars, ReplyState, Sampling, Turn
from storage.database import Database, upgrade
from training.evaluation.people.opinions import Opinion
from training.evaluation.people.stored import maker, opinions
from training.evaluation.people_commands import main

START = datetime(2026, 1, 1, tzinfo=UTC)


async def fill(url: str) -> None:
    """Two answers of different adapters and one of the base model, rated by two people."""
    await upgrade(url)
    database = Database(url)
    async with database.unit() as unit:
        for number, adapter in enumerate(("lora", "gan", None)):
            turn = await unit.turns.add(1, 7, 0)
            request = ChatRequest(
                request_id=f"r{number}",
                chat_id=1,
                user_id=7,
                turns=(Turn(role="user", text="Привет"),),
                emotion="joy",
                deadline=START,
            )
            row = await unit.replies.ask(turn, request)
            made = Provenance(
                base_model="base", adapter=adapter, prompt_version="1", sampling=Sampling(), seed=1, worker="w"
            )
            unit.replies.answer(
                row,
                ChatReply(
                    request_id=f"r{number}",
                    chat_id=1,
                    state=ReplyState.DONE,
                    text="Ура",
                    emotion="joy",
                    provenance=made,
                ),
            )
        said: list[dict[str, Any]] = [
            {"request_id": "r0", "user_id": 7, "stars": RatingStars(content=5, grammar=4), "preferred_over": "r1"},
            {"request_id": "r0", "user_id": 8, "stars": RatingStars(content=4), "thumb": 1},
            {"request_id": "r1", "user_id": 7, "stars": RatingStars(content=2), "thumb": -1},
            {"request_id": "r2", "user_id": 7, "thumb": 1},
        ]
        for number, one in enumerate(said):
            moment = START + timedelta(seconds=number)
            rating = Rating(rating_id=f"x{number}", chat_id=1, message_id=number, created_at=moment, **one)
            assert await unit.ratings.store(rating)
        await unit.commit()
    await database.close()


async def test_the_bots_ratings_are_opinions_on_adapters(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"
    await fill(url)
    found = await opinions(url)
    assert [(one.system, one.person, one.star("content"), one.thumb, one.over) for one in found] == [
        ("lora", "7", 5, None, "gan"),
        ("lora", "8", 4, 1, None),
        ("gan", "7", 2, -1, None),
        ("base", "7", None, 1, None),
    ]
    assert found[0].answer == found[1].answer != found[2].answer


def test_answers_of_unknown_makers_are_left_out() -> None:
    assert maker(None) is None and maker({}) is None
    assert maker({"adapter": None, "base_model": "base"}) == "base"


def test_ratings_of_the_database_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))
    asyncio.run(fill(f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"))
    assert main(["--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "| lora | content | 0 / 0 / 0 / 1 / 1 | 4.5000" in shown
    assert "Elo" in shown and "too few people" in shown
    kept = json.loads((tmp_path / "out" / "ratings.json").read_text(encoding="utf-8"))
    assert kept[0]["criteria"]["content"]["counts"] == [0, 0, 0, 1, 1]


def log(path: Path, *opinions_: Opinion) -> str:
    path.write_text("\n".join(one.model_dump_json(exclude_none=True) for one in opinions_) + "\n\n", encoding="utf-8")
    return str(path)


def test_a_feedback_log_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = [
        Opinion(system=system, person=f"p{person}", answer=system, stars=RatingStars(content=stars), over=over)
        for person in range(25)
        for system, stars, over in (("новая", 4 + person % 2, "старая"), ("старая", 2 + person % 3, None))
    ]
    assert main(["--log", log(tmp_path / "log.jsonl", *told), "--language", "ru"]) == 0
    shown = capsys.readouterr().out
    assert "старая − новая" in shown and "по людям, оценившим обе: ниже" in shown
    assert "альфа" in shown
    standing = shown.split("шкала Эло")[1]
    assert standing.index("| новая |") < standing.index("| старая |")
    assert "нет данных (нет оценок: грамотность, построение, стиль)" in shown


def test_pairs_alone_give_strengths_and_unconnected_ones_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [Opinion(system="a", person=str(n), over="b", tie=n % 3 == 0) for n in range(30)]
    assert main(["--log", log(tmp_path / "log.jsonl", *pairs)]) == 0
    assert capsys.readouterr().out.startswith("### Strengths")
    apart = [*pairs, Opinion(system="c", person="x", over="d")]
    assert main(["--log", log(tmp_path / "log.jsonl", *apart)]) == 0
    assert "never compared" in capsys.readouterr().out


def test_published_counts_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.yaml"
    table.write_text(
        "GPT-J: {content: {counts: [18, 31, 29, 29, 17], published: 2.9677}}\n"
        "LLaMA-2:\n"
        "  structure: {counts: [8, 18, 25, 34, 39], published: 3.6290}\n"
        "  style: {counts: [9, 14, 30, 33, 37], published: 3.6210}\n",
        encoding="utf-8",
    )
    assert main(["--counts", str(table)]) == 0
    shown = capsys.readouterr().out
    assert "| GPT-J | content | 18 / 31 / 29 / 29 / 17 | 2.9677 [" in shown
    assert "| LLaMA-2 | structure | 8 / 18 / 25 / 34 / 39 | 3.6290 [" in shown
    assert "444/123 = 3.6098, not the published 3.6210" in shown and "449/124" in shown


@pytest.mark.parametrize(
    ("content", "option", "told"),
    [
        (None, "--log", "no file"),
        ("", "--log", "no ratings yet"),
        ('{"system": "a", "person": "p", "stars": {"content": 9}}', "--log", ":1 is no opinion: stars.content"),
        ("geheim", "--log", ":1 is no opinion"),
        ("a: {content: [1, 2]}", "--counts", "five numbers"),
        ("a: {content: [0, 0, 0, 0, 0]}", "--counts", "not all 0"),
        ("a: {mood: [1, 2, 3, 4, 5]}", "--counts", "criteria are content"),
        ("a: {content: viele}", "--counts", "five whole numbers"),
        ("[]", "--counts", "must map systems"),
        ("a: {", "--counts", "is no YAML"),
    ],
)
def test_what_is_wrong_is_one_clear_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, option: str, told: str
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert main([option, str(path)]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("otklik ratings: ") and told in shown and "geheim" not in shown


def test_a_database_that_is_not_there_is_told_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "nothing"))
    assert main([]) == 2
    assert "nobody has rated anything yet" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "empty.sqlite3").write_bytes(b"")
    monkeypatch.setenv("STORAGE_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'empty.sqlite3'}")
    assert main([]) == 2
    assert "cannot be read" in capsys.readouterr().err
