"""Pairs and likes, whatever people say: of one prompt, in the direction of what was said, nobody heard twice."""

from __future__ import annotations

import random
import tempfile
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.contracts import RatingSource
from storage.repositories.feedback import Judged, JudgedReply, JudgedTurn, Preferred
from tests.training.feedback.made import QUESTIONS, START, entry, judged, log_of
from tests.training.feedback.made import given as answered
from training.data.feedback import Entry, FeedbackRules, Given, freeze
from training.data.feedback.deriving import WRONG_EMOTION, Deriver, Lesson
from training.data.feedback.reading import Scene, entries, forgotten_preferences
from training.data.feedback.scrubbing import Scrubber
from training.data.rows import Feedback, Pair, Row
from training.data.sets import load
from training.data.steps.texts import answers, fold, prompt_text

# The first two differ in commas alone.
TEXTS = ("Сегодня я счастлив!", "Сегодня, я счастлив", "Всё замечательно, ура!", "День как день.", "Ну, переживём.")
PEOPLE = ("1", "2", "3")
ELSEWHERE = "elsewhere"
# Nothing is left out but by votes: habits, caps and balance are other tests' matter.
VOTES: dict[str, Any] = {"held_out": 0, "one_sided": 10**6, "person_share": 1, "person_rows": 10**6}
VOTES |= {
    "shared_least": 10**6,
    "peer_certainty": 1 - 1e-12,
    "most_weight": 10**6,
    "length_share": 1,
    "longer_ratio": 10**6,
    "ai_pairs": False,
}


@st.composite
def entries_of(draw: st.DrawFn, prompts: tuple[str, ...] = QUESTIONS[:1]) -> Entry:
    """Up to four variants; each judgement at a moment of its own."""
    names = "abcd"[: draw(st.integers(1, 4))]
    moments = draw(st.permutations(range(12)))
    said = st.fixed_dictionaries(
        {
            "person": st.sampled_from(PEOPLE),
            "thumb": st.sampled_from([None, -1, 1]),
            "reason": st.sampled_from([None, None, None, WRONG_EMOTION]),
            "preferred_over": st.sampled_from([None, *names, ELSEWHERE]),
            "correction": st.sampled_from([None, None, *TEXTS]),
            "source": st.sampled_from([RatingSource.BUTTON, RatingSource.REGENERATE, RatingSource.COMPARE]),
        }
    )
    given_answers = []
    for name in names:
        those = [
            judged(**words, created_at=START + timedelta(minutes=moments.pop()))
            for words in draw(st.lists(said, max_size=3))
        ]
        given_answers.append(answered(name, draw(st.sampled_from(TEXTS)), *those))
    return entry(
        *given_answers,
        prompt=draw(st.sampled_from(prompts)),
        emotion=draw(st.sampled_from(["joy", "sadness"])),
        shown=draw(st.sampled_from([None, *names])),
    )


def lessons(one: Entry) -> list[Lesson]:
    return list(Deriver(FeedbackRules(), Scrubber()).lessons(one))


def verdict(answer: Given, person: str) -> int:
    """What somebody thinks of an answer: their newest thumb; the wrong emotion is a no, and no like."""
    own = sorted((one for one in answer.judgements if one.person == person), key=lambda one: one.created_at)
    thumb = ([0] + [one.thumb for one in own if one.thumb is not None])[-1]
    wrong = any(one.reason == WRONG_EMOTION for one in own)
    return (0 if thumb > 0 else -1) if wrong else thumb


def justified(one: Entry, lesson: Lesson, row: Pair) -> bool:
    """Whether the rater said so of two answers of this entry."""
    texts = {answer.request_id: answer.text for answer in one.answers}
    for answer in one.answers:
        if row.tags["signal"] == "thumbs":
            others = [other.text for other in one.answers if verdict(other, lesson.rater) < 0]
            if answer.text == row.chosen and verdict(answer, lesson.rater) > 0 and row.rejected in others:
                return True
        for said in answer.judgements:
            if said.person != lesson.rater:
                continue
            if row.tags["signal"] == "correction":
                found = (said.correction, answer.text) == (row.chosen, row.rejected)
            else:
                compared = said.source is RatingSource.COMPARE
                found = (answer.text, texts.get(said.preferred_over or "")) == (row.chosen, row.rejected)
                found &= verdict(answer, lesson.rater) >= 0
                found &= (row.tags["signal"] == "compare") is compared
                found &= compared or one.shown in (None, answer.request_id)
            if found:
                return True
    return False


@settings(deadline=None)
@given(entries_of())
def test_a_pair_is_of_two_answers_to_one_prompt_in_the_direction_of_what_was_said(one: Entry) -> None:
    pairs = [(lesson, lesson.row) for lesson in lessons(one) if isinstance(lesson.row, Pair)]
    for lesson, row in pairs:
        assert (row.prompt, row.emotion, row.intensity) == (one.prompt, one.emotion, one.intensity)
        assert fold(row.chosen) != fold(row.rejected)
        assert justified(one, lesson, row)
        assert lesson.reward is (row.tags["signal"] == "thumbs")
    said = [judgement for answer in one.answers for judgement in answer.judgements]
    signals = Counter(row.tags["signal"] for _, row in pairs)
    assert signals["variants"] + signals["compare"] <= sum(one.preferred_over is not None for one in said)
    assert signals["correction"] <= sum(one.correction is not None for one in said)


@settings(deadline=None)
@given(entries_of())
def test_likes_and_opposite_thumbs_are_those_that_people_gave_and_no_other(one: Entry) -> None:
    likes: Counter[tuple[str, str, bool]] = Counter()
    opposite: Counter[tuple[str, str, str]] = Counter()
    for person in PEOPLE:
        for answer in one.answers:
            mine = verdict(answer, person)
            likes[person, answer.text, mine > 0] += mine != 0
            for other in one.answers:
                apart = fold(answer.text) != fold(other.text)
                opposite[person, answer.text, other.text] += apart and mine > 0 and verdict(other, person) < 0
    found = lessons(one)
    assert +likes == Counter(
        (lesson.rater, lesson.row.answer, lesson.row.desirable) for lesson in found if isinstance(lesson.row, Feedback)
    )
    assert +opposite == Counter(
        (lesson.rater, lesson.row.chosen, lesson.row.rejected)
        for lesson in found
        if isinstance(lesson.row, Pair) and lesson.row.tags["signal"] == "thumbs"
    )


def mixed(one: Entry, chance: random.Random) -> Entry:
    """The same judgements in another order, some of them twice or thrice."""

    def again(answer: Given) -> Given:
        many = [*answer.judgements, *chance.choices(answer.judgements or (judged("1"),), k=3)]
        return answer.model_copy(update={"judgements": tuple(chance.sample(many, len(many)))})

    return one.model_copy(update={"answers": tuple(map(again, one.answers))})


@settings(deadline=None)
@given(entries_of(), st.randoms(use_true_random=False))
def test_neither_the_order_of_judgements_nor_one_that_is_there_twice_changes_anything(
    one: Entry, chance: random.Random
) -> None:
    assert sorted(map(repr, lessons(mixed(one, chance)))) == sorted(map(repr, lessons(one)))


Shown = tuple[str | None, str, tuple[str, ...], bool]


def shown(row: Row) -> Shown:
    return row.emotion, prompt_text(row), tuple(map(fold, answers(row))), getattr(row, "desirable", True)


def rows(log: list[Entry]) -> dict[str, list[Shown]]:
    """The rows of all sets: emotion, prompt, answers without their commas, liked or not.

    Which of two answers that differ in commas alone stands for both hangs on the rater's other name, made of the log.
    """
    with tempfile.TemporaryDirectory() as folder, log_of(*log) as kept:
        sets = freeze(kept, Path(folder) / "sets", FeedbackRules.model_validate(VOTES))
        return {
            kind: sorted(map(shown, load(place).train(Row)))
            for kind in ("feedback", "pairs", "reward", "answers")
            if (place := getattr(sets, kind)) is not None
        }


@settings(deadline=None, max_examples=30)
@given(st.lists(entries_of(QUESTIONS[:2]), max_size=4), st.randoms(use_true_random=False))
def test_a_set_does_not_hang_on_the_order_of_a_log_nor_on_what_is_there_twice(
    log: list[Entry], chance: random.Random
) -> None:
    found = rows(log)
    again = [*log, *chance.choices(log, k=3)] if log else []
    assert rows(chance.sample(again, len(again))) == found
    assert rows([mixed(one, chance) for one in log]) == found
    for kind in ("feedback", "pairs", "reward"):
        learned = {what: side for what, side in map(judgement, found.get(kind, []))}
        assert len(learned) == len(found.get(kind, [])), "everything is judged once"
        for what, (up, down) in votes(log, kind).items():
            if sorted(up) == sorted(down):
                assert what not in learned, "they contradict themselves"
            elif not up or not down:
                assert learned[what] is bool(up), "everybody agrees"


What = tuple[str | None, str, tuple[str, ...]]


def judgement(row: Shown) -> tuple[What, bool]:
    """What a row judges, and which way."""
    emotion, prompt, texts, liked = row
    if len(texts) == 2:
        liked = texts[0] < texts[1]
    return (emotion, fold(prompt), tuple(sorted(texts))), liked


def votes(log: list[Entry], kind: str) -> dict[What, tuple[list[str], list[str]]]:
    """Who judges each thing one way and who the other; some are believed more than others."""
    raters: dict[What, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for one in {repr(one): one for one in log}.values():
        for lesson in lessons(one):
            if lesson.kind == ("pairs" if kind == "reward" else kind) and lesson.row is not None:
                what, side = judgement(shown(lesson.row))
                if kind != "pairs" or not lesson.reward:
                    raters[what][0 if side else 1].append(lesson.rater)
    return raters


def turn(user: int, state: str = "done") -> JudgedTurn:
    return JudgedTurn(id=1, chat_id=-5, user_id=user, epoch=0, state=state, shown="b", kind=None)


def reply(name: str, emotion: str = "joy") -> JudgedReply:
    request = {"turns": [{"role": "user", "text": QUESTIONS[0]}]}
    text = TEXTS["abcd".index(name) + 1]
    return JudgedReply(name, 1, 0, 0, request, text, emotion, 2, None, None, [], START)


moments = st.integers(-2, 2).map(lambda minutes: START + timedelta(minutes=minutes))
words = st.builds(
    Judged,
    request_id=st.sampled_from("abc"),
    user_id=st.integers(1, 4),
    thumb=st.sampled_from([None, -1, 0, 1]),
    stars=st.none() | st.just({"content": 5}),
    reason=st.sampled_from([None, "", WRONG_EMOTION]),
    preferred_over=st.sampled_from([None, "", "a", "b", "c"]),
    correction=st.sampled_from([None, "", TEXTS[4]]),
    source=st.sampled_from([one.value for one in RatingSource]),
    updated_at=moments,
)


@settings(deadline=None)
@given(
    st.lists(words, max_size=8),
    st.sampled_from(["done", "cancelled"]),
    st.sets(st.integers(1, 4)),
    st.dictionaries(st.integers(1, 4), moments),
    st.tuples(*[st.sampled_from(["joy", "sadness"])] * 3),
)
def test_what_was_withdrawn_or_said_by_those_who_may_not_be_learned_from_leaves_nothing(
    said: list[Judged], state: str, consenting: set[int], forgotten: dict[int, datetime], emotions: tuple[str, str, str]
) -> None:
    replies = [reply(name, emotion) for name, emotion in zip("abc", emotions, strict=True)]
    scene = Scene(consenting, forgotten)
    found = list(entries([turn(1, state)], replies, said, scene, Counter()))

    def may(person: int, at: datetime) -> bool:
        return person in consenting and (person not in forgotten or at > forgotten[person])

    if state == "cancelled" or not may(1, START):
        assert found == []
    allowed = [one for one in said if may(one.user_id, one.updated_at)]
    loud = {str(one.user_id) for one in allowed if any((one.thumb, one.stars, one.reason, one.correction))}
    choosing = {str(one.user_id) for one in allowed if one.preferred_over}
    emotion_of = dict(zip("abc", emotions, strict=True))
    for one in found:
        assert {emotion_of[answer.request_id] for answer in one.answers} == {one.emotion}
        assert one.people() <= {"1"} | {str(word.user_id) for word in allowed}
        for lesson in lessons(one):
            chosen = isinstance(lesson.row, Pair) and lesson.row.tags["signal"] in ("variants", "compare")
            assert lesson.rater in (choosing if chosen else loud)


noted = st.builds(
    Preferred,
    request_id=st.sampled_from("abc"),
    user_id=st.integers(1, 2),
    preferred_over=st.sampled_from(["", "a", "b", "c"]),
    source=st.just("regenerate"),
    created_at=st.just(START),
)


@given(st.lists(noted, max_size=10), st.integers(0, 10))
def test_a_preference_stands_until_it_is_taken_back_or_turned_round(history: list[Preferred], known: int) -> None:
    standing = set()
    for number, one in enumerate(history):
        later = history[number + 1 :]
        undone = any(
            (other.user_id, other.request_id, other.preferred_over)
            in ((one.user_id, one.request_id, ""), (one.user_id, one.preferred_over, one.request_id))
            for other in later
        )
        if one.preferred_over and not undone:
            standing.add((one.user_id, one.request_id, one.preferred_over))
    rows = [
        Judged(name, user, None, None, None, over, None, "regenerate", START)
        for user, name, over in sorted(standing)[:known]
    ]
    found = [(one.user_id, one.request_id, one.preferred_over) for one in forgotten_preferences(rows, history)]
    assert len(found) == len(set(found))
    assert set(found) == standing - set(sorted(standing)[:known])
