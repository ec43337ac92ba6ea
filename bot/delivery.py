"""Replies on their way to people: store, mark «sending», send, mark «sent», acknowledge, start the next turn.

Chats are served at once, the replies of one chat in order. A process that dies between Telegram's acceptance and the
mark leaves «sending» behind: that reply is sent again and counted as a possible duplicate. At most
`BOT_PARALLEL_SENDS` replies and texts of handlers (`sayings.py`) together are between the two marks at any moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import structlog

from bot import texts
from bot.answers import chosen
from bot.courier import Courier, Letter, Outcome
from bot.failures import insist
from bot.flights import Flights
from bot.gate import Gate, Line
from bot.keyboards import Answer
from bot.lanes import Lanes
from bot.metrics import Metrics
from bot.outbox import Outbox, Parcel
from bot.settings import BotSettings
from bot.supervision import Supervisor
from bot.turns import Turns
from storage.contracts import ChatReply, now
from storage.conversation import Conversation
from storage.database import Database, Unit
from storage.queue import Delivery as Claimed
from storage.repositories.counters import POSSIBLE_DUPLICATES
from storage.tables import ReplyRow, TurnRow

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Job:
    """A reply marked «sending», with what is needed to send it."""

    letter: Letter
    answered: bool
    asked_at: float
    following: list[ReplyRow] = field(default_factory=list)
    doubtful: bool = False


class Deliveries:
    """Consumes `Conversation.replies` and the outbox."""

    def __init__(
        self,
        database: Database,
        conversation: Conversation,
        turns: Turns,
        outbox: Outbox,
        flights: Flights,
        courier: Courier,
        supervisor: Supervisor,
        settings: BotSettings,
        metrics: Metrics,
        gate: Gate,
        consumer: str,
    ) -> None:
        self.database = database
        self.conversation = conversation
        self.turns = turns
        self.outbox = outbox
        self.flights = flights
        self.courier = courier
        self.settings = settings
        self.metrics = metrics
        self.consumer = consumer
        self.supervisor = supervisor
        self.lanes = Lanes("delivery", supervisor)
        self.gate = gate
        self._held: set[str] = set()

    async def pull(self) -> None:
        """One step of the loop over the stream of replies."""
        claimed, spoiled = await self.conversation.replies.claim(self.consumer, count=64, block=0.25)
        for entry in spoiled:
            await self.conversation.replies.bury(entry)
        for delivery in claimed:
            if delivery.entry not in self._held:
                self._held.add(delivery.entry)
                self.lanes.submit(delivery.message.chat_id, partial(self._claimed, delivery))

    async def flush(self) -> None:
        """One step of the loop over the outbox."""
        parcel = await self.outbox.get()
        if parcel is None:
            return
        self.lanes.submit(parcel.chat_id, partial(self._flush, parcel))

    async def _flush(self, parcel: Parcel) -> None:
        await self._deliver(parcel, None)

    async def renew(self) -> None:
        """Keep what is claimed and not yet sent; to be called a few times per lease."""
        await self.conversation.replies.renew(self.consumer, sorted(self._held))

    async def _claimed(self, claimed: Claimed[ChatReply]) -> None:
        reply = claimed.message
        try:
            if await self._deliver(Parcel(reply.chat_id, reply.request_id), reply):
                await insist("ack", self.conversation.replies.ack, claimed.entry)
        finally:
            self._held.discard(claimed.entry)

    async def _deliver(self, parcel: Parcel, reply: ChatReply | None) -> bool:
        """Send one reply to its end; it is known in SQL as sent, dropped, blocked or refused afterwards.

        False if the process stops first; the next one takes the reply up.
        """
        job: Job | None = None
        while True:
            async with self.gate.passing(Line.REPLIES):
                job = job or await insist("mark sending", self._mark_sending, parcel, reply)
                if job is None:
                    self.flights.land(parcel.request_id)
                    return True
                wait = await self._attempt(job)
            if wait is None:
                break
            await self.supervisor.rest(wait)
            if self.supervisor.stopping.is_set():
                await self._put_back(job)
                return False
        await self.courier.tidy(job.letter)
        await insist("next turn", self.turns.push, job.following)
        return True

    async def _attempt(self, job: Job) -> float | None:
        """Carry once and mark the result; seconds to wait if it is to be carried again."""
        keep = partial(self._keep_progress, job.letter.request_id)
        outcome = await self.courier.carry(job.letter, keep)
        if outcome.wait is None:
            # From here on a queue note that is not in SQL yet removes itself; `_mark_sent` takes over one that is.
            self.flights.land(job.letter.request_id)
            job.following = await insist("mark sent", self._mark_sent, job, outcome)
        elif outcome.doubtful:
            job.doubtful = True
            await insist("count", self._count_doubtful, job.letter.request_id)
        return outcome.wait

    async def _mark_sending(self, parcel: Parcel, reply: ChatReply | None) -> Job | None:
        async with self.database.unit() as unit:
            found = await unit.replies.lock_with_turn(parcel.request_id)
            if found is None:
                return None
            row, turn = found
            if row.delivery == "waiting":
                if reply is None:
                    return None
                unit.replies.answer(row, reply)
            elif row.delivery == "sending":
                row.doubtful += 1
                await unit.counters.add(POSSIBLE_DUPLICATES)
                self.metrics.doubtful.inc()
                log.warning("sent perhaps before, sending again", request_id=row.request_id)
            elif row.delivery != "pending":
                return None
            row.delivery = "sending"
            job = await self._job(unit, row, turn)
            await unit.commit()
        return job

    async def _job(self, unit: Unit, row: ReplyRow, turn: TurnRow) -> Job:
        # In a group the answer quotes the message; in private that would only be noise.
        messages = await unit.inbox.of_turn(row.turn_id) if row.chat_id < 0 else []
        answered = row.state == "done" and bool(row.text.strip())
        shown = list(turn.message_ids) if turn.shown and answered else []
        earlier = await unit.replies.variants(row.turn_id, row.revision) if row.variant else []
        letter = Letter(
            chat_id=row.chat_id,
            request_id=row.request_id,
            text=row.text if answered else _explanation(row),
            replaces=shown,
            sent=list(row.message_ids),
            reply_to=messages[-1].message_id if messages else None,
            note_id=turn.note_id,
            answer=Answer(
                request_id=row.request_id,
                place=len(earlier) + 1,
                total=len(earlier) + 1,
                more=row.variant + 1 < self.settings.max_variants,
                chosen=chosen(earlier[0] if earlier else row, row, self.turns.catalogue),
            )
            if answered
            else None,
        )
        return Job(letter=letter, answered=answered, asked_at=row.created_at.timestamp())

    async def _mark_sent(self, job: Job, outcome: Outcome) -> list[ReplyRow]:
        """End the reply and, in the same transaction, begin the chat's next turn."""
        async with self.database.unit() as unit:
            found = await unit.replies.lock_with_turn(job.letter.request_id)
            if found is None:
                return []
            row, turn = found
            row.delivery = outcome.state
            row.message_ids = outcome.message_ids
            job.letter.note_id = turn.note_id
            _show(turn, row, outcome, answered=job.answered)
            if outcome.state == "blocked" and turn.chat_id > 0:
                await unit.people.block(turn.user_id, True)
            await unit.session.flush()
            following = await self.turns.settle(unit, row.chat_id)
            await unit.commit()
        self.metrics.replies.labels(outcome=outcome.state if job.answered else row.reason or row.state).inc()
        self.metrics.delivery.observe(max(0.0, now().timestamp() - job.asked_at))
        return following

    async def _put_back(self, job: Job) -> None:
        """Telegram has surely not taken the reply: the next process need not think that it may have."""
        if job.doubtful:
            return
        async with self.database.unit() as unit:
            row = await unit.replies.lock(job.letter.request_id)
            if row is not None and row.delivery == "sending":
                row.delivery = "pending"
                await unit.commit()

    async def _keep_progress(self, request_id: str, sent: list[int]) -> None:
        """Parts of a long reply that are in the chat are not sent again after a crash."""
        async with self.database.unit() as unit:
            row = await unit.replies.lock(request_id)
            if row is not None:
                row.message_ids = sent
                await unit.commit()

    async def _count_doubtful(self, request_id: str) -> None:
        async with self.database.unit() as unit:
            row = await unit.replies.lock(request_id)
            if row is not None:
                row.doubtful += 1
                await unit.counters.add(POSSIBLE_DUPLICATES)
                await unit.commit()
        self.metrics.doubtful.inc()


def _show(turn: TurnRow, row: ReplyRow, outcome: Outcome, *, answered: bool) -> None:
    """What the turn shows after this reply; a failed variant leaves the earlier answer."""
    if answered and outcome.state == "sent":
        turn.message_ids = outcome.message_ids
        turn.shown = row.request_id
    turn.note_id = None
    if row.revision == turn.revision and row.variant == 0:
        turn.state = "done" if answered and outcome.state == "sent" else "failed"


def _explanation(row: ReplyRow) -> str:
    text = texts.explanation(row.state, row.reason)
    return texts.VARIANT_FAILED + text if row.variant else text
