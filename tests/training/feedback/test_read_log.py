"""From real SQL to the log: who agreed, what was shown, what may be compared. SQLite, and Postgres where it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from storage.contracts import RatingSource, Turn
from storage.database import Database, upgrade
from tests.training.feedback.made import START, Town
from training.data.feedback import Entry, FeedbackLog, freeze, read_log
from training.data.rows import Answer, Feedback, Pair
from training.data.sets import load


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"


@pytest_asyncio.fixture
async def town(url: str) -> AsyncIterator[Town]:
    await upgrade(url)
    database = Database(url)
    town = Town(database)
    for user_id in (1, 2, 3):
        await town.person(user_id)
        await town.chat(user_id)
    yield town
    await database.close()


def listed(log: FeedbackLog) -> list[Entry]:
    with log:
        return list(log)


async def test_a_thumb_a_kept_variant_and_a_correction_become_rows(town: Town, tmp_path: Path) -> None:
    first, second = await town.ask(1, "Как прошёл день?", "Так себе, если честно.", "Чудесно, я весь день пел!")
    await town.rate(1, 1, first, thumb=-1)
    await town.rate(1, 1, second, preferred_over=first, source=RatingSource.REGENERATE)
    (plain,) = await town.ask(1, "Что нового?", "Ничего.")
    await town.rate(1, 1, plain, correction="Ура, у меня столько новостей!")
    log = await read_log(town.database)
    sets = freeze(log, tmp_path / "sets")
    log.close()
    assert sets.people == {1}
    assert sets.feedback and sets.pairs and sets.answers
    (thumb,) = load(sets.feedback).train(Feedback)
    assert (thumb.answer, thumb.desirable, thumb.emotion) == ("Так себе, если честно.", False, "joy")
    pairs = {(row.chosen, row.rejected) for row in load(sets.pairs).train(Pair)}
    assert pairs == {
        ("Чудесно, я весь день пел!", "Так себе, если честно."),
        ("Ура, у меня столько новостей!", "Ничего."),
    }
    (better,) = load(sets.answers).train(Answer)
    assert better.answer == "Ура, у меня столько новостей!"
    assert better.prompt == (Turn(role="user", text="Что нового?"),)


async def test_nobody_is_learned_from_who_has_not_agreed(town: Town) -> None:
    for user_id, agrees in ((10, False), (11, None)):
        await town.person(user_id, agrees)
        await town.chat(user_id)
        (answer,) = await town.ask(user_id, "Как дела?", "Отлично!")
        await town.rate(user_id, user_id, answer, thumb=1)
    assert listed(await read_log(town.database)) == []


async def test_somebody_elses_judgement_needs_both_to_agree(town: Town) -> None:
    await town.person(10, False)
    await town.chat(-5, "group")
    (ours,) = await town.ask(1, "Как дела?", "Отлично!", chat_id=-5)
    await town.rate(10, -5, ours, thumb=1)
    await town.rate(2, -5, ours, thumb=-1)
    (theirs,) = await town.ask(10, "А у меня?", "Тоже!", chat_id=-5)
    await town.rate(2, -5, theirs, thumb=1)
    (only,) = listed(await read_log(town.database))
    assert [one.person for one in only.answers[0].judgements] == ["2"]
    assert only.person == "1"


async def test_a_group_window_with_a_silent_refusers_words_is_left_out(town: Town) -> None:
    await town.person(10, False)
    await town.chat(-5, "group")
    await town.ask(10, "Секрет.", "Ого!", chat_id=-5)
    window = (Turn(role="user", text="Секрет."), Turn(role="assistant", text="Ого!"), Turn(role="user", text="Что?"))
    (with_secret,) = await town.ask(1, window, "Да так.", chat_id=-5)
    await town.rate(1, -5, with_secret, thumb=1)
    (alone,) = await town.ask(1, "Привет всем!", "Привет!", chat_id=-5, epoch=1)
    await town.rate(1, -5, alone, thumb=1)
    log = await read_log(town.database)
    assert log.counts["no_consent_of_speaker"] == 1
    assert [one.prompt[-1].text for one in listed(log)] == ["Привет всем!"]


async def test_everybody_who_speaks_in_a_group_window_is_named(town: Town) -> None:
    await town.chat(-5, "group")
    await town.ask(3, "Давно было.", "Да.", chat_id=-5)
    await town.ask(2, "Я тут.", "Вижу!", chat_id=-5)
    window = (Turn(role="user", text="Я тут."), Turn(role="assistant", text="Вижу!"), Turn(role="user", text="И я."))
    (answer,) = await town.ask(1, window, "Отлично!", chat_id=-5)
    await town.rate(2, -5, answer, thumb=1)
    (only,) = listed(await read_log(town.database))
    assert (only.person, only.others) == ("1", ("2",))


async def test_edits_and_withdrawn_turns_are_kept_apart(town: Town) -> None:
    (answer,) = await town.ask(1, "Как дила?", "Хорошо!")
    await town.rate(1, 1, answer, thumb=1)
    (gone,) = await town.ask(1, "Что-то страшное.", "Держись!")
    await town.rate(1, 1, gone, thumb=1)
    async with town.database.unit() as unit:
        row = await unit.replies.get(gone)
        turn = await unit.turns.get(row.turn_id) if row else None
        assert turn is not None
        turn.state = "cancelled"
        await unit.commit()
    log = await read_log(town.database)
    assert log.counts["withdrawn"] == 1
    assert [one.prompt[-1].text for one in listed(log)] == ["Как дила?"]


async def test_what_was_said_before_being_forgotten_stays_forgotten(town: Town) -> None:
    (answer,) = await town.ask(1, "Как дела?", "Хорошо!")
    await town.rate(1, 1, answer, thumb=1)
    async with town.database.unit() as unit:
        await unit.people.forget(1)
        await unit.people.consent(1, True)
        await unit.commit()
    log = await read_log(town.database)
    assert log.counts["no_consent_of_speaker"] == 1
    assert listed(log) == []


async def test_only_what_was_judged_since_a_moment_and_in_one_emotion(town: Town) -> None:
    (old,) = await town.ask(1, "Раньше?", "Раньше.")
    await town.rate(1, 1, old, thumb=1, created_at=START)
    (new,) = await town.ask(1, "Теперь?", "Теперь.", emotion="sadness")
    await town.rate(1, 1, new, thumb=1, created_at=START + timedelta(days=2))
    since = START + timedelta(days=1)
    assert [one.prompt[-1].text for one in listed(await read_log(town.database, since=since))] == ["Теперь?"]
    assert [one.prompt[-1].text for one in listed(await read_log(town.database, emotion="joy"))] == ["Раньше?"]


async def test_leafing_through_three_variants_ends_in_what_was_left_on_the_screen(town: Town, tmp_path: Path) -> None:
    """Shown 3, back to 2, to 1, forward to 2: as the bot notes it. 2 is better than both, 1 is better than none."""
    one, two, three = await town.ask(1, "Как день?", "Да так, день.", "Чудесно, ура!", "Грустно как-то.")
    taps = [(two, three), (one, two), (two, one)]
    for minute, (chosen, left) in enumerate(taps):
        moment = START + timedelta(minutes=minute)
        source = RatingSource.REGENERATE
        await town.rate(1, 1, chosen, preferred_over=left, source=source, created_at=moment)
    async with town.database.unit() as unit:
        row = await unit.replies.get(two)
        turn = await unit.turns.get(row.turn_id) if row else None
        assert turn is not None
        turn.shown = two
        await unit.commit()
    log = await read_log(town.database)
    sets = freeze(log, tmp_path / "sets")
    assert sets.pairs is not None
    pairs = {(row.chosen, row.rejected) for row in load(sets.pairs).train(Pair)}
    assert pairs == {("Чудесно, ура!", "Да так, день."), ("Чудесно, ура!", "Грустно как-то.")}


async def test_no_pair_crosses_an_edit_another_emotion_or_another_window(town: Town, tmp_path: Path) -> None:
    (typed,) = await town.ask(1, "Как дила?", "Хорошо, спасибо!")
    (joy,) = await town.ask(1, "Как дела?", "Отлично, ура!", revision=1)
    await town.rate(1, 1, joy, preferred_over=typed)
    first, second = await town.ask(1, "Что нового?", "Ничего.", "Всё по-новому!")
    async with town.database.unit() as unit:
        row = await unit.replies.get(second)
        assert row is not None
        row.emotion = "sadness"
        await unit.commit()
    await town.rate(1, 1, second, preferred_over=first)
    third, fourth = await town.ask(1, "А потом?", "Потом суп.", "Потом театр!")
    async with town.database.unit() as unit:
        row = await unit.replies.get(fourth)
        assert row is not None and row.request is not None
        row.request = {**row.request, "turns": [{"role": "user", "text": "А позже?"}]}
        await unit.commit()
    await town.rate(1, 1, fourth, preferred_over=third)
    log = await read_log(town.database)
    sets = freeze(log, tmp_path / "sets")
    assert sets.pairs is None
    assert sets.counts["taught_nothing"]["other_prompt_or_emotion"] == 3


async def test_an_answer_in_an_unknown_shape_costs_only_itself(town: Town) -> None:
    for text in ("Первый?", "Второй?"):
        (answer,) = await town.ask(1, text, "Ответ.", candidates=(("Ответ.", 0.5), ("Иной.", -1.0)))
        await town.rate(1, 1, answer, thumb=1)
    async with town.database.unit() as unit:
        row = await unit.replies.get(answer)
        assert row is not None and row.request is not None
        row.request = {**row.request, "turns": [{"role": "robot", "text": "Второй?"}]}
        await unit.commit()
    log = await read_log(town.database)
    assert log.counts["unusable"] == 1
    (only,) = listed(log)
    assert [one.text for one in only.answers[0].candidates] == ["Ответ."]


async def test_more_turns_than_a_page_come_whole_and_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.feedback.reading.PAGE", 3)
    for number in range(10):
        ids = await town.ask(1, f"Вопрос {number}?", "Один.", "Два.")
        for one in ids:
            await town.rate(1, 1, one, thumb=1)
    found = listed(await read_log(town.database))
    assert sorted(one.prompt[-1].text for one in found) == sorted(f"Вопрос {number}?" for number in range(10))
    assert all(len(one.answers) == 2 for one in found)
