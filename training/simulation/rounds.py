"""A simulated world from its first word to its last refit: talk, refit, measure, round after round.

Every finished round is on the disk; a world that was killed goes on with the round that it was in.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import yaml

from training.cycle.places import read_json, write_json
from training.simulation import measuring, refits
from training.simulation.errors import WorldBroken
from training.simulation.exchanges import Exchanges
from training.simulation.material import Question
from training.simulation.measuring import Judges, Measured
from training.simulation.plan import CONTROL, RECIPES, Plan
from training.simulation.talking import Crowd
from training.simulation.world import World

log = structlog.get_logger(__name__)

BEST = "best"


@dataclass
class WorldStory:
    """What is known of a world. `start`: the adapter measured before anything; a round's `adapter` answers after it."""

    name: str
    start: str | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, name: str) -> WorldStory:
        """As far as it was told."""
        found = read_json(path)
        return cls(**found) if found else cls(name)

    def write(self, path: Path) -> None:
        """Keep it."""
        write_json(path, self.__dict__)

    def adapters(self) -> list[str]:
        """What answered before round 1, and after each round."""
        return [str(self.start), *(str(one["adapter"]) for one in self.rounds)]


@dataclass
class Simulation:
    """Where everything lies, and who judges. `folder/NAME` is a world, `folder/measured` what adapters are worth."""

    folder: Path
    plan: Plan
    questions: list[Question]
    judges: Judges

    def story(self, name: str) -> WorldStory:
        """What a world's file tells."""
        return WorldStory.read(self._path(name), name)

    def measured(self, adapter: str) -> Measured | None:
        """A stored measurement."""
        return measuring.load(self._measured(adapter))

    async def live(self, name: str, crowd: Crowd) -> WorldStory:
        """Every round that is left of a world."""
        story = self.story(name)
        if len(story.rounds) >= self.plan.rounds and story.start is not None:
            return story
        trainer = self.plan.trainer_settings(name, self._recipe())
        world = World(self.folder / name, self.plan.worker_settings(), trainer)
        async with world:
            if story.start is None:
                await self._begin(world, story, crowd)
            while len(story.rounds) < self.plan.rounds:
                await self._round(world, story, crowd, len(story.rounds) + 1)
        return story

    async def _begin(self, world: World, story: WorldStory, crowd: Crowd) -> None:
        line = Exchanges(world)
        await line.meet([person.user_id for person in crowd.people])
        began = time.monotonic()
        story.start = await self._measure(world, expected=None)
        if story.name == CONTROL:
            best = self._measured(BEST)
            if not best.is_file():
                found = await measuring.measure_best(world.conversation, self.questions, self.judges, self.plan.oracle)
                measuring.store(best, found)
        story.seconds["start"] = round(time.monotonic() - began, 1)
        story.write(self._path(story.name))

    async def _round(self, world: World, story: WorldStory, crowd: Crowd, number: int) -> None:
        seconds, began = {}, time.monotonic()
        async with Exchanges(world).running() as line:
            talk = await crowd.round(line, number)
        seconds["talk"] = _since(began)
        job, served = None, None
        if story.name != CONTROL:
            began = time.monotonic()
            job = await refits.refit(world, number, self.plan.refit_minutes)
            seconds["refit"] = _since(began)
            began = time.monotonic()
            served = await refits.served(world)
            seconds["swap"] = _since(began)
        began = time.monotonic()
        adapter = await self._measure(world, expected=served)
        seconds["measure"] = _since(began)
        told = {"number": number, "talk": talk.as_json(), "job": job, "slot": served, "adapter": adapter}
        story.rounds.append({**told, "seconds": seconds})
        story.write(self._path(story.name))
        log.info("round over", world=story.name, round=number, state=job and job["state"], adapter=adapter)

    async def _measure(self, world: World, expected: str | None) -> str:
        """Measure what answers now, unless that is known; its name. WorldBroken if it is not what the slot names."""
        probe = await measuring.measure(world.conversation, self.questions[:1], self.judges)
        if expected is not None and probe.adapter != expected:
            raise WorldBroken(f"the slot names {expected}, but {probe.adapter} answers")
        path = self._measured(probe.adapter)
        if not path.is_file():
            measuring.store(path, await measuring.measure(world.conversation, self.questions, self.judges))
        return probe.adapter

    def _recipe(self) -> Path:
        """The recipe of refits, with this plan's steps."""
        shipped = RECIPES / f"{self.plan.method}.yaml"
        path = self.folder / shipped.name
        recipe = yaml.safe_load(shipped.read_text(encoding="utf-8")) | {"steps": self.plan.steps}
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        return path

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _measured(self, adapter: str) -> Path:
        return self.folder / "measured" / f"{_name(adapter)}.json"


def _name(adapter: str) -> str:
    plain = "".join(char if char.isalnum() or char in "-_." else "-" for char in adapter)
    return plain if len(plain) < 80 else hashlib.sha256(adapter.encode()).hexdigest()[:32]


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)
