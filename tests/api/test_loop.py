"""Adapters, slots and jobs over HTTP: the same deeds as in Telegram, for admin keys only, each in the audit."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from storage.contracts import JobState
from storage.loop_board import LoopBoard
from storage.registry import Registry
from tests.api.conftest import Desk


async def register(desk: Desk, folder: Path, number: int) -> str:
    place = folder / f"adapter{number}"
    place.mkdir()
    (place / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 1}))
    save_file(
        {"base_model.model.x.lora_A.weight": torch.full((1, 2), float(number))}, place / "adapter_model.safetensors"
    )
    registry = Registry(desk.database, LoopBoard(desk.redis, desk.storage), desk.storage)
    row = await registry.add(place, kind="lora", base="echo", method="kto", data={"rows": number})
    return row.adapter_id


async def test_an_admin_key_promotes_tries_and_rolls_back(desk: Desk, tmp_path: Path) -> None:
    first, second = [await register(desk, tmp_path, number) for number in (1, 2)]
    async with desk.client(desk.admin_key) as client:
        listed = (await client.get("/v1/adapters")).json()["adapters"]
        made = await client.post("/v1/slots/shared/promote", json={"adapter": first})
        head = {"Idempotency-Key": "again"}
        twice = [await client.post("/v1/slots/shared/promote", json={"adapter": first}, headers=head) for _ in range(2)]
        tried = await client.post("/v1/slots/shared/canary", json={"adapter": second, "percent": 10})
        ended = await client.delete("/v1/slots/shared/canary")
        await client.post("/v1/slots/shared/promote", json={"adapter": second})
        back = await client.post("/v1/slots/shared/promote", json={"adapter": first})
        late = await client.post("/v1/slots/shared/promote", json={"adapter": second, "revision": 1})
        told = (await client.get("/v1/slots/shared/history")).json()["changes"]
    assert {one["id"] for one in listed} == {first, second} and listed[0]["data"]["rows"] in (1, 2)
    assert made.json()["active"] == first
    assert ["idempotency-replayed" in one.headers for one in twice] == [False, True]
    assert (tried.json()["canary"], tried.json()["share"]) == (second, 0.1)
    assert ended.json()["canary"] is None
    assert back.json()["active"] == first
    assert late.status_code == 409
    assert [one["action"] for one in told] == ["rollback", "promote", "stop", "canary", "promote", "promote"]
    async with desk.database.view() as unit:
        assert len(await unit.audit.last()) == 6


async def test_ordinary_keys_see_but_change_nothing(desk: Desk, tmp_path: Path) -> None:
    name = await register(desk, tmp_path, 1)
    async with desk.client() as client:
        assert (await client.get(f"/v1/adapters/{name}")).json()["sha256"]
        refused = [
            await client.post("/v1/slots/shared/promote", json={"adapter": name}),
            await client.delete("/v1/slots/shared/canary"),
            await client.post("/v1/jobs", json={}),
            await client.get("/v1/jobs"),
        ]
    assert {answer.status_code for answer in refused} == {403}
    async with desk.database.view() as unit:
        assert await unit.slots.get("shared") is None


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/v1/slots/nonsense/promote", {"adapter": None}, 404),
        ("/v1/slots/shared/promote", {"adapter": "a-000000000000"}, 409),
        ("/v1/slots/shared/canary", {"adapter": "a-0", "percent": 0}, 422),
        ("/v1/jobs", {"method": "gan"}, 422),
        ("/v1/jobs", {"slot": "nonsense"}, 422),
        ("/v1/jobs/none/cancel", {}, 404),
    ],
)
async def test_wrong_deeds_are_refused(desk: Desk, path: str, sent: dict[str, object], status: int) -> None:
    async with desk.client(desk.admin_key) as client:
        answer = await client.post(path, json=sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_refit_is_started_watched_and_cancelled(desk: Desk) -> None:
    async with desk.client(desk.admin_key) as client:
        made = await client.post("/v1/jobs", json={"method": "kto"})
        again = await client.post("/v1/jobs", json={"method": "dpo"})
        job = made.json()["id"]
        assert (made.status_code, again.status_code, again.json()["id"]) == (201, 200, job)

        async def trainer() -> None:
            async with desk.database.unit() as unit:
                await unit.jobs.claim("trainer", 60)
                await unit.jobs.move(job, JobState.TRAINING, step=1, steps=10, loss=0.5)
                await unit.commit()
            await asyncio.sleep(0.8)
            head = {"Idempotency-Key": "stop"}
            stopped = [await client.post(f"/v1/jobs/{job}/cancel", headers=head) for _ in range(2)]
            assert [one.status_code for one in stopped] == [202, 202] and stopped[0].json() == stopped[1].json()
            async with desk.database.unit() as unit:
                await unit.jobs.move(job, JobState.CANCELLED)
                await unit.commit()

        seen = []
        working = asyncio.create_task(trainer())
        async with client.stream("GET", f"/v1/jobs/{job}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))
        await working
        late = await client.post(f"/v1/jobs/{job}/cancel")
    assert [one["state"] for one in seen][-1] == "cancelled"
    assert any(one["state"] == "training" and one["loss"] == 0.5 for one in seen)
    assert late.status_code == 409
