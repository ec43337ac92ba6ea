"""What a person reads in the chat when something befalls the worker: real bot, real queue, real worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot import texts
from bot.playground.person import Person, Seen
from models.engine import Engine
from models.serving import Pointer, Routes
from models.worker import Worker
from storage.conversation import Conversation
from storage.redis import connect
from tests.bot.stage import Stage, stage, until
from tests.models.line import start_worker_process
from tests.models.test_worker import Faulty, Stuck, working

# A worker that takes a request and never gets to answer it.
BUSY = """
import sys, time
from models.engines.echo import EchoEngine
step = EchoEngine.step
def busy(self):
    if any("эхо" in row.prompt.turns[-1].text for row in self._rows.values()):
        time.sleep(3600)
    return step(self)
EchoEngine.step = busy
from models.app import main
sys.exit(main(sys.argv[1:]))
"""


@asynccontextmanager
async def worker(scene: Stage, engine: Engine | None = None, name: str = "w") -> AsyncIterator[Worker]:
    """A worker of the stage's queue until the end of the block."""
    redis = connect(scene.server.url)
    try:
        async with working(Conversation(redis, scene.storage), engine, name, drain=0.2) as made:
            yield made
    finally:
        await redis.aclose()


@asynccontextmanager
async def without_worker(folder: Path, **settings: Any) -> AsyncIterator[tuple[Stage, Person]]:
    """A bot, somebody who writes to it, and nobody who answers."""
    async with stage(folder, stub=False, note_after_seconds=0.2, **settings) as scene, scene.person() as anna:
        yield scene, anna


async def told_that_nobody_answers(anna: Person) -> Seen:
    """The note in the chat, once it says so; a worker that died counts as there until its sign of life is too old."""
    note = await anna.next_message(within=30)
    return await anna.until(note, lambda seen: seen.text == texts.NO_WORKERS, within=30)


async def answered(anna: Person, text: str, note: Seen) -> None:
    """The answer came in its emotion, once, and the note has gone."""
    assert (await anna.next_message(within=30)).text == f"[радость] эхо: {text}"

    async def gone() -> bool:
        return note.id not in [seen.id for seen in await anna.history()]

    await until(gone, within=30)
    await anna.silence(0.3)


async def test_a_worker_that_dies_is_waited_for_and_the_next_one_answers(tmp_path: Path) -> None:
    async with without_worker(tmp_path) as (scene, anna):
        first = await start_worker_process(
            scene.server.url, "first", tmp_path / "log", "-c", BUSY, STORAGE_LEASE_SECONDS="1"
        )
        await anna.send("эхо, ты где")

        async def claimed() -> bool:
            line = scene.worker.line.requests
            await line.ensure()
            groups = await scene.redis.xinfo_groups(line.stream)
            return sum(int(one["pending"]) for one in groups) == 1

        await until(claimed, within=30)
        first.kill()
        await first.wait()
        note = await told_that_nobody_answers(anna)
        async with worker(scene):
            await answered(anna, "эхо, ты где", note)


async def test_a_classifier_that_cannot_be_loaded_is_said_to_the_operator_and_the_chat_waits(tmp_path: Path) -> None:
    async with without_worker(tmp_path) as (scene, anna):
        broken = await start_worker_process(
            scene.server.url, "broken", tmp_path / "log", MODELS_CLASSIFIER="/no/such/folder"
        )
        await anna.send("Привет")
        assert await asyncio.wait_for(broken.wait(), 30) == 2
        assert "MODELS_CLASSIFIER" in (tmp_path / "log").read_text()
        note = await told_that_nobody_answers(anna)
        async with worker(scene):
            await answered(anna, "Привет", note)


def done(made: Worker) -> int:
    """Answers that a worker has given."""
    return sum(
        int(sample.value)
        for family in made.responder.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "otklik_worker_replies_total" and sample.labels["state"] == "done"
    )


async def test_two_workers_answer_everybody_once(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, stub=False) as scene,
        worker(scene, name="one") as one,
        worker(scene, name="two") as two,
    ):

        async def talk(number: int) -> None:
            async with scene.person(f"Человек {number}") as person:
                for text in ("раз", "два"):
                    assert (await person.ask(text, within=30)).text == f"[радость] эхо: {text}"
                await person.silence(0.3)

        await asyncio.gather(*(talk(number) for number in range(8)))
        assert done(one) + done(two) == 16


async def test_a_poisoned_message_is_explained_and_buried_and_its_neighbour_answered(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, stub=False) as scene,
        scene.person() as anna,
        scene.person("Боря") as boris,
        worker(scene, Faulty()),
    ):
        await asyncio.gather(anna.send("яд"), boris.send("чай"))
        assert (await anna.next_message(within=30)).text == texts.REPLY_POISONED
        assert (await boris.next_message(within=30)).text == "[радость] эхо: чай"
        assert await scene.redis.xlen(scene.worker.line.keys.dead("requests")) == 1
        assert (await anna.ask("вода", within=30)).text == "[радость] эхо: вода"


@pytest.mark.parametrize("late", ["nobody was there", "the worker hung"])
async def test_past_its_deadline_a_message_is_said_to_have_taken_too_long(tmp_path: Path, late: str) -> None:
    async with without_worker(tmp_path, deadline_seconds=1.0) as (scene, anna):
        await anna.send("Привет")
        note = await anna.next_message()
        assert note.text in (texts.NO_WORKERS, texts.QUEUE_NEXT)
        if late == "nobody was there":
            await asyncio.sleep(1.0)
        async with worker(scene, Stuck() if late == "the worker hung" else None):
            # Half a minute after the deadline the bot would say so itself.
            assert (await anna.next_message(within=20)).text == texts.REPLY_EXPIRED
        async with worker(scene):
            assert (await anna.ask("А теперь?", within=30)).text == "[радость] эхо: А теперь?"


async def test_an_adapter_that_is_not_there_makes_its_emotion_unavailable_and_no_other(tmp_path: Path) -> None:
    async with stage(tmp_path, stub=False) as scene, scene.person() as anna, worker(scene) as made:
        made.responder.intake.routes = Routes(slots={"joy": Pointer(active="gone")})
        assert (await anna.ask("Привет", within=30)).text == texts.REPLY_UNKNOWN_ADAPTER
        await anna.ask("/emotion грусть")
        assert (await anna.ask("А теперь?", within=30)).text == "[грусть] эхо: А теперь?"
