"""`otklik adapters` as an operator meets it: on SQL alone, with workers that hear, and refusals that say what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from otklik.adapters import main
from storage.contracts import JobState, Loaded, Serving, TrainJob
from storage.conversation import Conversation
from storage.database import Database
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.redis import connect
from storage.settings import StorageSettings
from tests.storage.adapter_folders import generator, lora

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command; gives exit status, standard output and standard error."""
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "var"))
    before = structlog.get_config()

    def command(*words: str) -> tuple[int, str, str]:
        status = main(list(words))
        structlog.configure(**before)
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def added(run: Run, folder: Path, *words: str) -> str:
    status, out, _ = run("add", str(folder), "--base", "starter", "--json", *words)
    assert status == 0
    return str(json.loads(out)["adapter_id"])


def lists(run: Run) -> dict[str, Any]:
    status, out, _ = run("list", "--json")
    assert status == 0
    return dict(json.loads(out))


def test_the_way_of_an_adapter_on_sql_alone(run: Run, tmp_path: Path) -> None:
    a, b = added(run, lora(tmp_path / "a", b"a")), added(run, lora(tmp_path / "b", b"b"), "--method", "dpo")
    status, out, _ = run("promote", a[:6])
    assert status == 0
    assert f"{a} answers in the slot shared" in out and "when a trainer runs" in out
    assert run("promote", b, "--reason", "kinder")[0] == 0
    status, out, _ = run("rollback", "--json")
    assert json.loads(out)["slots"][0]["active"] == a
    assert run("canary", b, "--share", "10%")[0] == 0
    assert run("canary", b, "--share", "0.25")[0] == 0
    shown = lists(run)
    assert (shown["slots"][0]["canary"], shown["slots"][0]["share"]) == (b, 0.25)
    assert {row["adapter_id"]: row["state"] for row in shown["adapters"]} == {a: "live", b: "canary"}
    assert run("end-canary")[0] == 0
    assert "rejected" in run("reject", b)[1]
    status, out, _ = run("history", "--json")
    actions = [(change["action"], change["reason"]) for change in json.loads(out)["changes"]]
    assert actions[::-1][:3] == [
        ("promote", "command line"),
        ("promote", "command line: kinder"),
        ("rollback", "command line"),
    ]
    assert run("rollback", "--to", "none")[1].startswith("The worker's own answers")


def refit_waits(adapter: str, state: JobState = JobState.GATED) -> None:
    """The adapter was made by a refit that passed its gate."""

    async def order() -> None:
        database = Database(StorageSettings().database())
        async with database.unit() as unit:
            job = await unit.jobs.add(TrainJob(job_id=f"job-{adapter}", method="kto"), trigger="admin")
            await unit.jobs.move(job.job_id, state)
            row = await unit.adapters.get(adapter)
            assert row is not None and job.job_id == f"job-{adapter}", "the slot was free for it"
            row.job_id = job.job_id
            await unit.commit()
        await database.close()

    asyncio.run(order())


def state_of(adapter: str) -> str:
    async def read() -> str:
        database = Database(StorageSettings().database())
        async with database.view() as unit:
            job = await unit.jobs.get(f"job-{adapter}")
        await database.close()
        return job.state if job is not None else ""

    return asyncio.run(read())


def test_a_decision_on_the_command_line_is_one_on_the_refit_too(run: Run, tmp_path: Path) -> None:
    """Else the slot would wait for ever for somebody in Telegram, and get no other refit."""
    a, b, c, d = (added(run, lora(tmp_path / name, name.encode())) for name in "abcd")
    refit_waits(a)
    assert run("canary", a, "--share", "10%")[0] == 0 and state_of(a) == JobState.CANARY
    assert run("end-canary")[0] == 0 and state_of(a) == JobState.GATED
    assert run("promote", a)[0] == 0 and state_of(a) == JobState.LIVE
    refit_waits(b)
    assert run("reject", b)[0] == 0 and state_of(b) == JobState.REJECTED
    refit_waits(c)
    assert run("canary", c, "--share", "10%")[0] == 0
    assert run("promote", d)[0] == 0 and state_of(c) == JobState.REJECTED, "its canary gave way"
    refit_waits(d)
    assert run("promote", "none")[0] == 0 and state_of(d) == JobState.GATED, "nothing was said of it"


def test_tables_show_whole_ids_states_and_taint(run: Run, tmp_path: Path) -> None:
    a = added(run, lora(tmp_path / "a"))
    assert "worker's own answers everybody" in run("list")[1]
    run("promote", a, "--slot", "joy")

    async def forget() -> None:
        database = Database(StorageSettings().database())
        async with database.unit() as unit:
            row = await unit.adapters.get(a)
            assert row is not None
            await unit.adapters.add(row, people=[7])
            await unit.adapters.taint(7)
            await unit.commit()
        await database.close()

    asyncio.run(forget())
    out = run("list")[1]
    assert a in out and "live" in out and "joy" in out and "tainted" in out
    assert lists(run)["adapters"][0]["tainted_at"] is not None
    assert "asked to be forgotten" in run("show", a)[1]
    status, _, err = run("promote", a)
    assert status == 1 and "--allow-tainted" in err
    assert run("promote", a, "--allow-tainted")[0] == 0
    assert run("release", "joy")[1].startswith("joy goes by the slot shared")


def test_a_generator_is_told_from_a_lora_by_its_configuration(run: Run, tmp_path: Path) -> None:
    added(run, generator(tmp_path / "g"))
    assert lists(run)["adapters"][0]["kind"] == "gan"


def test_verify_names_what_is_damaged_and_fails(run: Run, tmp_path: Path) -> None:
    a, b = added(run, lora(tmp_path / "a", b"a")), added(run, lora(tmp_path / "b", b"b"))
    assert run("verify")[0] == 0
    (tmp_path / "var" / "adapters" / a / "adapter_model.safetensors").write_bytes(b"")
    status, out, _ = run("verify")
    assert status == 1
    assert f"{a}: adapter_model.safetensors is damaged" in out and f"{b}: whole" in out and "1 of 2" in out
    assert run("verify", b)[0] == 0
    status, out, _ = run("verify", "--json")
    assert (status, json.loads(out)["damaged"]) == (1, [a])
    added(run, tmp_path / "a")
    assert run("verify")[0] == 0


def test_garbage_is_told_before_it_goes(run: Run, tmp_path: Path) -> None:
    a, b = added(run, lora(tmp_path / "a", b"a")), added(run, lora(tmp_path / "b", b"b"))
    run("promote", a)

    async def grow_old() -> None:
        database = Database(StorageSettings().database())
        async with database.unit() as unit:
            for row in await unit.adapters.all():
                row.created_at = row.created_at.replace(year=2020)
            await unit.commit()
        await database.close()

    asyncio.run(grow_old())
    assert json.loads(run("gc", "--dry-run", "--json")[1])["gone"] == [b]
    assert b in run("gc")[1]
    assert [row["adapter_id"] for row in lists(run)["adapters"]] == [a]
    assert not (tmp_path / "var" / "adapters" / b).exists()
    assert b in run("list", "--all")[1]


@pytest.mark.parametrize(
    ("words", "status", "advice"),
    [
        (("promote", "a-nowhere"), 1, "otklik adapters list --all"),
        (("promote", "a-"), 1, "write more of it"),
        (("promote", "none", "--slot", "gloom"), 1, "it is one of shared"),
        (("rollback",), 1, "nothing to roll back to"),
        (("add", "."), 1, "adapter_config.json"),
        (("release", "shared"), 1, "roll it back"),
    ],
)
def test_refusals_say_what_to_do(words: tuple[str, ...], status: int, advice: str, run: Run, tmp_path: Path) -> None:
    for name in "ab":
        added(run, lora(tmp_path / name, name.encode()))
    found, out, err = run(*words)
    assert (found, out) == (status, "") and advice in err


def test_without_a_database_nothing_is_made(run: Run, tmp_path: Path) -> None:
    status, _, err = run("list")
    assert status == 1 and "STORAGE_DIR" in err
    assert not (tmp_path / "var").exists()


def test_a_store_or_a_database_out_of_reach_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lora(tmp_path / "a")
    monkeypatch.setenv("STORAGE_ADAPTERS", "gs://bucket/adapters")
    status, _, err = run("add", str(tmp_path / "a"), "--base", "starter")
    assert status == 2 and "pip install gcsfs" in err
    monkeypatch.setenv("STORAGE_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    status, _, err = run("list")
    assert status == 2 and "STORAGE_DATABASE_URL" in err


@pytest.mark.parametrize("text", ["2", "-1%", "many"])
def test_a_share_is_a_share(text: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("canary", "a", f"--share={text}")
    assert ended.value.code == 2
    assert "share" in capsys.readouterr().err


@pytest.mark.parametrize("named", [True, False], ids=["named", "embedded"])
def test_workers_are_told_where_redis_answers(
    named: bool, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of `otklik up` is found by its socket under STORAGE_DIR."""
    server = EmbeddedRedis(tmp_path / "var" / "redis")
    asyncio.run(server.start())
    if named:
        monkeypatch.setenv("STORAGE_REDIS_URL", server.url)

    async def worker(adapter: str) -> Serving | None:
        settings = StorageSettings(dir=tmp_path / "var")
        client = connect(server.url)
        board = LoopBoard(client, settings)
        await Conversation(client, settings).beat("w1", seconds=60)
        await board.report(Loaded(worker="w1", revision=1, faults={adapter: "no room on the GPU"}))
        found = await board.serving()
        await client.aclose()
        return found

    try:
        a = added(run, lora(tmp_path / "a"))
        assert "Workers were told (revision 1)" in run("promote", a)[1]
        serving = asyncio.run(worker(a))
        assert serving is not None and serving.slots[0].active == a
        out = run("list")[1]
        assert "0 of 1" in out and f"worker w1 cannot serve {a}: no room on the GPU" in out
    finally:
        asyncio.run(server.kill())
    if named:
        status, out, _ = run("rollback")
        assert status == 0 and "Redis does not answer" in out
