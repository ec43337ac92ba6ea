"""What operators read: Russian numbers and times, a refit in every state, letters to whom they are. Pure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot import wording
from bot.admin import card, job_view, letters, panel, retrain, texts
from bot.admin.panel import Now
from storage.contracts import DataSummary, JobEvent, JobState, Loaded, now
from storage.loop_tables import JobChangeRow, JobRow, SlotChangeRow, SlotRow
from storage.presets import load_presets
from storage.repositories.figures import Flow, Judged, weighted
from tests.bot.trainer import verdict

PRESETS = load_presets()
ADMIN = 7


def job(state: JobState, **values: object) -> JobRow:
    made = {
        "job_id": "nightly",
        "order": {"method": "auto"},
        "trigger": "schedule",
        "slot": "shared",
        "state": state.value,
        "plan": {},
        "cancel": False,
        "created_at": now(),
        **values,
    }
    return JobRow(**made)


def words_of(screen: object) -> str:
    return screen.text.render()[0]  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (3, "меньше минуты"),
        (60, "~1\u00a0мин"),
        (3540, "~59\u00a0мин"),
        (3600, "~1 ч"),
        (5400, "~1 ч 30 мин"),
        (86400, "~1 день"),
        (86400 * 2, "~2 дня"),
        (86400 * 11, "~11 дней"),
    ],
)
def test_times_are_as_coarse_as_people_say_them(seconds: float, told: str) -> None:
    assert wording.lasting(seconds) == told


def test_numbers_are_russian() -> None:
    assert wording.number(-1.234) == "−1,23"
    assert wording.percent(0.581) == "58\u00a0%"
    counted = [wording.plural(count, "ответ", "ответа", "ответов") for count in (1, 2, 5, 11, 14, 21, 112)]
    assert counted == ["1 ответ", "2 ответа", "5 ответов", "11 ответов", "14 ответов", "21 ответ", "112 ответов"]
    assert (wording.bar(-1), wording.bar(0.5), wording.bar(9)) == ("░" * 12, "▓" * 6 + "░" * 6, "▓" * 12)


def test_weighted_stars_use_what_was_given() -> None:
    assert weighted({"content": 5, "grammar": None}) == 5
    assert weighted({"content": 5, "grammar": 1, "structure": 1, "style": 1}) == pytest.approx(2.8)
    assert weighted({}) is None


def test_the_refits_message_shows_stage_and_progress_of_this_stage_only() -> None:
    running = job(JobState.TRAINING, method="kto", plan={"ru": ["оценок хватает"]}, step=1, steps=10, loss=0.5)
    news = JobEvent(job_id="nightly", state="training", step=5, steps=10, loss=0.25, eta_seconds=61)
    told = words_of(job_view.render(running, news, PRESETS, ADMIN))
    assert "«Авто» выбрало: KTO\n• оценок хватает" in told
    assert "✅ Очередь\n✅ Данные\n▶️ Обучение\n▫️ Сравнение со старой" in told
    assert "50\u00a0%\nшаг 5 из 10 · ошибка (loss) 0,250 · осталось ~1\u00a0мин" in told
    stale = news.model_copy(update={"state": "preparing"})
    assert "10\u00a0%\nшаг 1 из 10" in words_of(job_view.render(running, stale, PRESETS, ADMIN))
    told = words_of(job_view.render(job(JobState.TRAINING, cancel=True), news, PRESETS, ADMIN))
    assert texts.JOB_CANCELLING in told and "▓" not in told


@pytest.mark.parametrize("state", list(JobState))
def test_only_a_version_that_waits_or_is_tried_has_a_decision(state: JobState) -> None:
    shown = job_view.keyboard(job(state, adapter_id="a1", verdict=verdict()), ADMIN).inline_keyboard
    labels = [button.text for row in shown for button in row]
    assert (texts.TO_LIVE in labels) == (state in (JobState.GATED, JobState.CANARY))
    assert (texts.CANCEL in labels) == (state.value in ("queued", "preparing", "training", "evaluating"))


def test_a_verdict_of_another_release_is_shown_as_far_as_it_is_known() -> None:
    strange = {"passed": "perhaps", "checks": [5, {"name": "emotion_hit", "incumbent": "?"}], "reasons_ru": "no"}
    assert card.pairs(strange) == [] and card.passed(strange) is None
    assert words_of(card.render(job(JobState.GATED, adapter_id="a1", verdict=strange), PRESETS, ADMIN))


def change(state: JobState) -> JobChangeRow:
    return JobChangeRow(id=5, job_id="nightly", state=state.value, note="")


@pytest.mark.parametrize(
    ("state", "before", "told"),
    [
        (JobState.QUEUED, None, "🎓 Переобучение поставлено: авто для общего слота (по расписанию)"),
        (JobState.PREPARING, "queued", None),
        (JobState.TRAINING, "preparing", None),
        (JobState.EVALUATING, "training", None),
        (JobState.GATED, "evaluating", "Новая версия"),
        (JobState.CANARY, "evaluating", "Новая версия"),
        (JobState.CANARY, "gated", None),
        (JobState.LIVE, "canary", None),
        (JobState.REJECTED, "evaluating", "Новая версия"),
        (JobState.REJECTED, "gated", "🗑 Новая версия отклонена"),
        (JobState.REJECTED, "canary", None),
        (JobState.FAILED, "training", "⚠️ Переобучение не получилось"),
        (JobState.CANCELLED, "queued", "✖️ Переобучение отменено"),
    ],
)
def test_which_changes_are_told(state: JobState, before: str | None, told: str | None) -> None:
    row = job(state, adapter_id="a1", verdict=verdict())
    letter = letters.of_job(change(state), row, PRESETS, before, ADMIN)
    assert (letter is None) == (told is None)
    if letter is not None and told is not None:
        assert words_of(letter.screen).startswith(told)


def test_who_rejected_a_version_is_told_to_the_others() -> None:
    row, moved = job(JobState.REJECTED, adapter_id="a1"), change(JobState.REJECTED)
    moved.note = texts.NOTE_BY.format(who=9)
    assert letters.of_job(moved, row, PRESETS, "gated", 9) is None
    told = letters.of_job(moved, row, PRESETS, "gated", ADMIN)
    assert told is not None and words_of(told.screen).endswith("Причина: администратор 9")


def test_nobody_is_told_what_they_did_or_what_nobody_meets() -> None:
    ordered = job(JobState.QUEUED, order={"method": "kto", "requested_by": 9})
    letter = letters.of_job(change(JobState.QUEUED), ordered, PRESETS, None, ADMIN)
    assert letter is not None and letter.but_not == 9
    moved = SlotChangeRow(id=1, slot="joy", action="promote", before=None, after="a1", by=9, reason="")
    told = letters.of_slot(moved, PRESETS, ADMIN)
    assert told is not None and told.but_not == 9
    assert words_of(told.screen).startswith("🚀 Эмоция «радость»: теперь отвечает a1 (прежде встроенный)")
    moved.reason = letters.SILENT_REASON
    assert letters.of_slot(moved, PRESETS, ADMIN) is None
    moved.action, moved.reason, moved.share, moved.by = "won", "эмоция попадает чаще", 0.25, None
    told = letters.of_slot(moved, PRESETS, ADMIN)
    assert told is not None and told.screen.keyboard is not None
    assert "выигрывает (25 % диалогов)" in words_of(told.screen) and "эмоция попадает чаще" in words_of(told.screen)
    assert [button.text for button in told.screen.keyboard.inline_keyboard[0]] == [texts.TO_LIVE, texts.STOP]
    moved.action, moved.reason = "something new", ""
    assert letters.of_slot(moved, PRESETS, ADMIN) is None


def test_the_panel_tells_of_workers_that_are_behind_broken_or_gone() -> None:
    at = now()
    found = Now(
        at=at,
        flow=Flow(asked=10, done=8, failed=2, seconds=(0.01, 1.0, 2.0, 9.0)),
        recent=Flow(done=5),
        queue=3,
        loaded={
            "w1": Loaded(worker="w1", revision=1, adapters=("a1",), faults={"presets": "joy.title: Field required"})
        },
        silent=2,
        wanted=4,
        draining=at + timedelta(minutes=5),
        fits_day={},
        fits_week={"joy": (4, 0.5), "gone": (1, 1.0)},
        judged=Judged(up=1, down=2, stars=4.256, starred=3),
        slots=[SlotRow(name="shared", active="a1", canary="a2", share=0.25, revision=4)],
        jobs=[],
    )
    told = words_of(panel.render(found, PRESETS, ADMIN))
    assert "ответов 8 из 10, сейчас 1,0 в минуту" in told
    assert "половина готова за 2,0\u00a0с, почти все — за 9,0\u00a0с" in told
    assert "⚠️ не получилось: 2" in told and "ждут ответа: 3" in told
    assert "w1: a1 (ещё на версии 1 из 4)" in told and "⚠️ w1: эмоции не загрузился" in told
    assert "2 работника без отчёта" in told and "ещё на ~5\u00a0мин" in told
    assert "😊 радость: — · 50\u00a0% из 4\n▫️ gone: — · 100\u00a0% из 1" in told
    assert "⭐ 4,26 из 5 (оценено подробно: 3)" in told
    assert "общий: a1\n   🐤 a2 — 25\u00a0% диалогов" in told


def test_what_auto_would_not_do_is_said_with_what_is_missing() -> None:
    summary = DataSummary(rows={}, why=("учиться пока не на чем; нужно одно из:", "ещё 99 пар (есть 1)"))
    told = words_of(retrain.overview(summary, 1.0, ADMIN, summary.at + timedelta(hours=2)))
    assert f"{texts.WOULD_DO_NOTHING}\n• учиться пока не на чем" in told and "ещё 99 пар" in told
    assert "Сводка: 2 ч назад" in told and texts.NO_TRAINER not in told
