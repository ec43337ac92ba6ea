"""A round of talk: everybody says something, waits, reacts, taps; until so many answers were judged.

Goes in waves, one message a person, and taps in a fixed order, so that the same plan gives the same round. Knows
people, tastes and the bot's part of an exchange; neither training nor measuring.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from storage.contracts import RatingSource
from training.simulation.exchanges import Exchanges, Said, Shown
from training.simulation.material import Material
from training.simulation.people import Kind, Person
from training.simulation.plan import Plan
from training.simulation.reacting import First, Second, to_first, to_second
from training.simulation.taste import Taster, satisfaction, utility

# Messages that one round may take of everybody's; ids of rounds do not meet.
ROUND = 10_000


@dataclass(frozen=True)
class Tap:
    """One judgement, about the variant of the answer."""

    what: str
    variant: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Exchange:
    """What happened to one message."""

    person: Person
    said: Said
    shown: tuple[Shown, ...]
    values: tuple[float, ...]
    first: First
    second: Second | None
    better: str | None

    def taps(self) -> list[Tap]:
        """What the person taps, in order; nothing under an answer that never came."""
        found: list[Tap] = []
        if not self.shown[0].text:
            return found
        if self.first.thumb is not None:
            found.append(Tap("thumb", 0, {"thumb": self.first.thumb}))
        if self.first.corrects and self.better is not None:
            found.append(Tap("fix", 0, {"correction": self.better, "source": RatingSource.CORRECTION}))
        if self.second is not None and self.shown[1].text:
            if self.second.thumb is not None:
                found.append(Tap("thumb", 1, {"thumb": self.second.thumb}))
            kept, left = (1, 0) if self.second.keeps else (0, 1)
            over = {"preferred_over": self.shown[left].request_id, "source": RatingSource.REGENERATE}
            found.append(Tap("keep", kept, over))
        return found


@dataclass
class Talk:
    """What a round came to. `satisfaction`: mean over first answers of how much they truly were to people's liking;
    `approval`: share of 👍 among thumbs of first answers, as they were given."""

    exchanges: int = 0
    judged: int = 0
    thumbs: int = 0
    ups: int = 0
    preferences: int = 0
    corrections: int = 0
    unanswered: int = 0
    total: float = 0.0

    def add(self, exchange: Exchange) -> None:
        """Count an exchange."""
        self.exchanges += 1
        self.unanswered += not exchange.shown[0].text
        self.total += satisfaction(exchange.values[0])
        if exchange.first.thumb is not None and exchange.shown[0].text:
            self.thumbs += 1
            self.ups += exchange.first.thumb > 0

    def tapped(self, taps: Sequence[Tap]) -> None:
        """Count taps that were given."""
        self.judged += len({tap.variant for tap in taps})
        self.preferences += sum(tap.what == "keep" for tap in taps)
        self.corrections += sum(tap.what == "fix" for tap in taps)

    def as_json(self) -> dict[str, float]:
        """For the results."""
        rest = {name: value for name, value in asdict(self).items() if name != "total"}
        return rest | {
            "satisfaction": self.total / max(1, self.exchanges),
            "approval": self.ups / max(1, self.thumbs),
        }


class Crowd:
    """The people, what they talk about, and how they read answers."""

    def __init__(self, plan: Plan, people: Sequence[Person], material: Material, taster: Taster) -> None:
        self.plan, self.people, self.material, self.taster = plan, people, material, taster

    async def round(self, line: Exchanges, number: int) -> Talk:
        """Talk until `plan.ratings` answers were judged in this round, or for `plan.waves` messages a person."""
        talk = Talk()
        for wave in range(self.plan.waves):
            said = [self._says(person, number, wave) for person in self.people]
            exchanges = await asyncio.gather(*(self._exchange(line, *one) for one in said))
            for exchange in exchanges:
                talk.add(exchange)
                await self._tap(line, exchange, talk)
            if talk.judged >= self.plan.ratings:
                break
        return talk

    async def _tap(self, line: Exchanges, exchange: Exchange, talk: Talk) -> None:
        taps = exchange.taps()
        # The trainer begins as soon as it has counted enough, so a round ends with exactly so many.
        if talk.judged + len({tap.variant for tap in taps}) > self.plan.ratings:
            return
        for tap in taps:
            await line.rate(exchange.said, tap.variant, tap.what, **tap.values)
        if exchange.second is not None and exchange.shown[1].text and not exchange.second.keeps:
            await line.go_back(exchange.said)
        talk.tapped(taps)

    def _says(self, person: Person, number: int, wave: int) -> tuple[Person, Said]:
        chance = random.Random(f"{self.plan.seed}:says:{person.user_id}:{number}:{wave}")
        emotion = chance.choice(person.emotions)
        text = chance.choice(self.material.messages)
        return person, Said(person.user_id, number * ROUND + wave, text, emotion)

    async def _exchange(self, line: Exchanges, person: Person, said: Said) -> Exchange:
        chance = random.Random(f"{self.plan.seed}:reacts:{person.user_id}:{said.number}")
        shown = [await line.ask(said)]
        values = [self._value(person, said, shown[0])]
        first = to_first(person.kind, values[0], chance, self.plan.habits)
        second = None
        if first.another and shown[0].text:
            shown.append(await line.ask(said, 1))
            values.append(self._value(person, said, shown[1]))
            second = to_second(person.kind, first.felt, values[1], chance, self.plan.habits)
        better = self.material.better.get((said.text, said.emotion)) if person.kind is Kind.HONEST else None
        return Exchange(person, said, tuple(shown), tuple(values), first, second, better)

    def _value(self, person: Person, said: Said, shown: Shown) -> float:
        return utility(person.wishes[said.emotion], self.taster.read([shown.text], [said.text], [said.emotion])[0])
