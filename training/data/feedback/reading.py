"""From SQL to a `FeedbackLog`: judged turns page by page, only of people who agreed, with everybody who speaks in them.

Knows storage's repositories and the log's shape; what rows come of it is `deriving`'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from storage.contracts import RatingSource, RatingStars, Turn
from storage.database import Database
from storage.repositories.feedback import FeedbackPages, Judged, JudgedReply, JudgedTurn, Preferred, Spoken
from training.data.feedback.entry import Entry, Given, Judgement, Option
from training.data.feedback.log import FeedbackLog

PAGE = 1000
# Turns of a group that are remembered to tell who speaks in a dialogue window: more than any window holds.
REMEMBERED = 128


@dataclass
class Scene:
    """What is known beside the page: who agreed, who was forgotten when, who spoke lately in which group."""

    consenting: set[int]
    forgotten: Mapping[int, datetime]
    spoken: dict[int, deque[Spoken]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=REMEMBERED)))

    def may(self, user_id: int, at: datetime) -> bool:
        """Whether what somebody said or did at a moment may be learned from."""
        gone = self.forgotten.get(user_id)
        return user_id in self.consenting and (gone is None or at > gone)

    def speakers(self, turn: JudgedTurn, window: int) -> set[int] | None:
        """Whose words may stand in a group's dialogue window of so many earlier turns; None if that is not known.

        Turns in between that were given up later count too: they may have been answered when the window was made.
        """
        found, before = {turn.user_id}, 0
        known = self.spoken[turn.chat_id]
        for one in reversed(known):
            if one.id >= turn.id or one.epoch != turn.epoch:
                continue
            if before == window:
                return found
            found.add(one.user_id)
            before += one.state == "done"
        return None if before < window and len(known) == REMEMBERED else found


async def read_log(
    database: Database, *, since: datetime | None = None, emotion: str | None = None, work: Path | None = None
) -> FeedbackLog:
    """All that may be learned from, laid down in a file of `work` (unset: beside SQLite's file, or the system's place).

    `since`: judgements from then on. `emotion`: answers in one preset. Memory does not grow with the ratings.
    """
    log = FeedbackLog(work or _place(database), numbered=True)
    async with database.view() as unit:
        gone = {user: row.at for user, row in (await unit.people.forgotten()).items()}
        scene = Scene(await unit.people.consenting(), gone)
    after = 0
    while True:
        async with database.view() as unit:
            pages = FeedbackPages(unit.session)
            turns = await pages.turns(after, PAGE, since)
            if not turns:
                return log
            ids = [turn.id for turn in turns]
            for one in await pages.spoken(after, ids[-1]):
                scene.spoken[one.chat_id].append(one)
            replies, ratings = await pages.replies(ids), await pages.ratings(ids, since)
            if many := _with_many_answers(replies):
                ratings += forgotten_preferences(ratings, await pages.preferences(many), since)
        for entry in entries(turns, replies, ratings, scene, log.counts):
            if emotion in (None, entry.emotion):
                log.add(entry)
        after = ids[-1]


def forgotten_preferences(
    ratings: Sequence[Judged], noted: Iterable[Preferred], since: datetime | None = None
) -> list[Judged]:
    """Preferences that were overwritten by another one of the same answer, though nothing took them back.

    `noted` is in the order of time; the opposite preference, said later, takes one back, and so does an empty one.
    """
    standing: dict[tuple[int, str, str], Preferred] = {}
    for one in noted:
        if not one.preferred_over:
            for place in [known for known in standing if known[:2] == (one.user_id, one.request_id)]:
                del standing[place]
            continue
        standing.pop((one.user_id, one.preferred_over, one.request_id), None)
        standing[one.user_id, one.request_id, one.preferred_over] = one
    known = {(one.user_id, one.request_id, one.preferred_over) for one in ratings}
    return [
        Judged(one.request_id, one.user_id, None, None, None, one.preferred_over, None, one.source, one.created_at)
        for place, one in standing.items()
        if place not in known and (since is None or one.created_at >= since)
    ]


def _with_many_answers(replies: Iterable[JudgedReply]) -> list[int]:
    counted = Counter(reply.turn_id for reply in replies)
    return sorted(turn for turn, count in counted.items() if count > 2)


def entries(
    turns: Sequence[JudgedTurn],
    replies: Iterable[JudgedReply],
    ratings: Iterable[Judged],
    scene: Scene,
    counts: Any,
) -> Iterator[Entry]:
    """A page's entries; `counts` grows by what is left out and why."""
    said: dict[str, list[Judged]] = defaultdict(list)
    for one in ratings:
        said[one.request_id].append(one)
    given: dict[int, list[JudgedReply]] = defaultdict(list)
    for reply in replies:
        given[reply.turn_id].append(reply)
    for turn in turns:
        if turn.state == "cancelled":
            # Taken back by the person, or by the crisis card.
            counts["withdrawn"] += 1
            continue
        for answers in _branches(given[turn.id], counts):
            try:
                entry = _entry(turn, answers, said, scene, counts)
            except (ValueError, KeyError):
                # Written by another release, in a shape that this one does not know.
                counts["unusable"] += 1
                continue
            if entry is not None:
                yield entry


def _branches(replies: Sequence[JudgedReply], counts: Any) -> Iterator[list[JudgedReply]]:
    """Answers that may be compared: to the same wording, with the same dialogue before, in the same manner."""
    found: dict[str, list[JudgedReply]] = defaultdict(list)
    for reply in replies:
        if reply.request is None:
            counts["request_forgotten"] += 1
            continue
        turns = [(turn["role"], turn["text"]) for turn in reply.request["turns"]]
        manner = (reply.revision, reply.emotion, reply.intensity, reply.request.get("persona", ""), turns)
        found[repr(manner)].append(reply)
    yield from found.values()


def _entry(
    turn: JudgedTurn,
    answers: Sequence[JudgedReply],
    said: Mapping[str, list[Judged]],
    scene: Scene,
    counts: Any,
) -> Entry | None:
    first = answers[0]
    request: dict[str, Any] = first.request or {}
    prompt = tuple(Turn.model_validate(one) for one in request["turns"])
    speakers = _speakers(turn, prompt, scene)
    if speakers is None:
        counts["unknown_speakers"] += 1
        return None
    if not all(scene.may(user, first.created_at) for user in speakers):
        counts["no_consent_of_speaker"] += 1
        return None
    given = tuple(_given(answer, said[answer.request_id], scene, counts) for answer in answers)
    if not any(one.judgements for one in given):
        return None
    return Entry(
        person=str(turn.user_id),
        others=tuple(sorted(map(str, speakers - {turn.user_id}))),
        prompt=prompt,
        emotion=first.emotion,
        intensity=first.intensity,
        persona=str(request.get("persona", "")),
        # After an edit another revision is on the screen.
        shown=turn.shown if turn.shown in {answer.request_id for answer in answers} else None,
        answers=given,
        created_at=first.created_at,
    )


def _speakers(turn: JudgedTurn, prompt: Sequence[Turn], scene: Scene) -> set[int] | None:
    if turn.kind in (None, "private"):
        return {turn.user_id}
    return scene.speakers(turn, sum(one.role == "user" for one in prompt) - 1)


def _given(reply: JudgedReply, said: Sequence[Judged], scene: Scene, counts: Any) -> Given:
    judgements = []
    for one in said:
        if scene.may(one.user_id, one.updated_at):
            judgements.append(_judgement(one))
        else:
            counts["no_consent_of_rater"] += 1
    return Given(
        request_id=reply.request_id,
        text=reply.text,
        adapter=reply.adapter,
        fit=reply.fit,
        candidates=tuple(Option(text=one["text"], fit=one["fit"]) for one in reply.candidates if 0 <= one["fit"] <= 1),
        judgements=tuple(sorted(judgements, key=lambda one: (one.person, one.created_at, one.preferred_over or ""))),
    )


def _judgement(row: Judged) -> Judgement:
    return Judgement(
        person=str(row.user_id),
        thumb=1 if row.thumb == 1 else -1 if row.thumb == -1 else None,
        stars=RatingStars(**row.stars) if row.stars else None,
        reason=row.reason or None,
        preferred_over=row.preferred_over or None,
        correction=row.correction or None,
        source=RatingSource(row.source),
        created_at=row.updated_at,
    )


def _place(database: Database) -> Path | None:
    """Beside SQLite's file there is room on the disk; the system's own place may be memory."""
    url = make_url(str(database.engine.url))
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database).parent
