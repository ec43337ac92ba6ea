"""The engine against a real OpenAI-compatible server (`transformers serve`), and against one that misbehaves.

Misbehaviour (busy, broken, strict) comes from httpx's mock transport, because no real server does it on demand.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from models.build import build_responder
from models.engine import Broken, Event, Finished, Row
from models.engines.openai import OpenAIEngine
from models.errors import AdapterBroken, EngineUnavailable, PromptTooLong, UnknownAdapter
from models.jobs import Task
from models.prompt import Prompt
from models.settings import ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import load_presets
from tests.models.line import make_request
from tests.models.tiny import TEMPLATE, save_model

PRESETS = load_presets()
Answer = Callable[[httpx.Request], httpx.Response]


def row(row_id: str = "r", text: str = "Привет", adapter: str | None = None, seed: int = 1) -> Row:
    prompt = Prompt((Turn(role="user", text=text),), PRESETS.get("joy"), 3, "кот")
    return Row(row_id, prompt, Sampling(max_new_tokens=8, top_k=5), seed, adapter)


def settings(url: str = "http://model", **changes: Any) -> ModelsSettings:
    values: dict[str, Any] = {
        "engine": "openai",
        "openai_url": url,
        "openai_model": "base",
        "classifier": "none",
        "openai_key": "secret",
        **changes,
    }
    return ModelsSettings(**values)


def finish(engine: OpenAIEngine) -> dict[str, Event]:
    events: dict[str, Event] = {}
    until = time.monotonic() + 60
    while engine.running and time.monotonic() < until:
        events |= {event.row_id: event for event in engine.step()}
    return events


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(URL, model name) of `transformers serve` with a tiny random model."""
    folder = tmp_path_factory.mktemp("serve")
    # `transformers serve` lets a model end its answer by its template's end token only.
    save_model("llama", folder / "model", template=TEMPLATE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name = str(folder / "model")
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", name, "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--device", "cpu"], env=environment, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", name
        process.terminate()
        process.wait(10)


def test_a_real_server_answers_several_rows(server: tuple[str, str]) -> None:
    url, name = server
    engine = OpenAIEngine(settings(url, openai_model=name), PRESETS)
    engine.admit([row(f"r{index}", seed=index) for index in range(3)])
    assert engine.running == 3
    events = finish(engine)
    engine.close()
    assert set(events) == {"r0", "r1", "r2"}
    for event in events.values():
        assert isinstance(event, Finished), event
        assert 0 <= event.tokens <= 8
    assert any(event.text for event in events.values() if isinstance(event, Finished))


def completion(text: str, finish_reason: str = "stop") -> httpx.Response:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return httpx.Response(200, json={"choices": [choice], "usage": {"completion_tokens": 5}})


def mocked(answer: Answer, names: tuple[str, ...] = ("base",), **changes: Any) -> OpenAIEngine:
    """An engine whose server answers chats by `answer` and lists `names`."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json={"data": [{"id": name} for name in names]})
        return answer(request)

    return OpenAIEngine(settings(**changes), PRESETS, transport=httpx.MockTransport(handle))


def test_the_request_carries_dialogue_sampling_and_adapter() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append({**json.loads(request.content), "key": request.headers["authorization"]})
        return completion("<think>hm</think> Ура!", "length")

    engine = mocked(answer, ("base", "tuned"))
    engine.load_adapter("tuned", Path("unused"))
    engine.admit([row(adapter="tuned", seed=42)])
    assert finish(engine) == {"r": Finished("r", "Ура!", 5, "length")}
    body = bodies[0]
    assert (body["model"], body["seed"], body["max_tokens"], body["top_k"]) == ("tuned", 42, 8, 5)
    assert body["messages"][-1] == {"role": "user", "content": "Привет"}
    assert "радость" in body["messages"][0]["content"] and "кот" in body["messages"][0]["content"]
    assert body["key"] == "Bearer secret"
    assert body["chat_template_kwargs"]["emotion"] == "радость"


def test_a_strict_server_gets_no_extra_fields() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return completion("Да")

    engine = mocked(answer, openai_extensions=False)
    engine.admit([row()])
    finish(engine)
    assert set(bodies[0]) == {"model", "messages", "temperature", "top_p", "max_tokens", "seed", "stream"}


def test_a_server_that_refuses_extra_fields_is_asked_without_them_from_then_on() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(422) if "top_k" in bodies[-1] else completion("Да")

    engine = mocked(answer)
    for name in ("a", "b"):
        engine.admit([row(name)])
        # What was left out is left out of the provenance too.
        drawn = Sampling(max_new_tokens=8, top_k=0, repetition_penalty=1.0)
        assert finish(engine) == {name: Finished(name, "Да", 5, "stop", drawn)}
    assert ["top_k" in body for body in bodies] == [True, False, False]


@pytest.mark.parametrize("trouble", [503, 429, "broken"])
def test_a_busy_or_broken_server_is_asked_again(trouble: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.engines.openai.PAUSE", 0.01)
    calls = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls == 3:
            return completion("Да")
        if isinstance(trouble, int):
            return httpx.Response(trouble, headers={"retry-after": "0.01"})
        raise httpx.ConnectError("refused", request=request)

    engine = mocked(answer)
    engine.admit([row()])
    assert finish(engine) == {"r": Finished("r", "Да", 5, "stop")}


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(500), EngineUnavailable),
        (httpx.Response(401), EngineUnavailable),
        (httpx.Response(200, json={"oops": 1}), EngineUnavailable),
        (httpx.Response(400, text="This model's maximum context length is 4096 tokens"), PromptTooLong),
        (httpx.Response(400, json={"error": {"type": "exceed_context_size_error"}}), PromptTooLong),
    ],
)
def test_what_cannot_succeed_breaks_only_its_row(
    response: httpx.Response, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.engines.openai.PAUSE", 0.01)

    def answer(request: httpx.Request) -> httpx.Response:
        if "плохо" in json.loads(request.content)["messages"][-1]["content"]:
            return response
        return completion("Да")

    engine = mocked(answer)
    engine.admit([row("bad", "плохо"), row("good", "хорошо")])
    events = finish(engine)
    broken = events["bad"]
    assert isinstance(broken, Broken) and isinstance(broken.error, kind)
    assert "плохо" not in str(broken.error)
    assert isinstance(events["good"], Finished)


def test_a_cancelled_row_gives_up_its_connection() -> None:
    closed = []

    class Waiting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return httpx.Response(200, json={"data": []})
            try:
                await asyncio.sleep(60)
            finally:
                closed.append(request.url.path)
            return completion("поздно")

    engine = OpenAIEngine(settings(), PRESETS, transport=Waiting())
    engine.admit([row("a"), row("b")])
    engine.step()
    engine.cancel(["a"])
    assert engine.running == 1
    engine.close()
    assert closed == ["/chat/completions"] * 2


def test_a_server_that_is_not_there_is_said_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.engines.openai.PAUSE", 0.01)
    with pytest.raises(EngineUnavailable, match="MODELS_OPENAI_URL"):
        OpenAIEngine(settings("http://127.0.0.1:9"), PRESETS)
    forbidden = httpx.MockTransport(lambda request: httpx.Response(401))
    with pytest.raises(EngineUnavailable, match="MODELS_OPENAI_KEY"):
        OpenAIEngine(settings(), PRESETS, transport=forbidden)


@pytest.mark.parametrize("status", [500, 401])
def test_a_password_in_the_address_is_neither_logged_nor_said(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.engines.openai.PAUSE", 0.01)
    transport = httpx.MockTransport(lambda request: httpx.Response(status))
    said = ""
    with capture_logs() as logs:
        try:
            OpenAIEngine(settings("http://anna:qwerty@model:8000/v1"), PRESETS, transport=transport).close()
        except EngineUnavailable as error:
            said = str(error)
    everything = f"{said} {logs}"
    assert "http://model:8000/v1" in everything
    assert "anna" not in everything and "qwerty" not in everything


def test_provenance_names_the_sampling_that_was_sent() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422) if "repetition_penalty" in json.loads(request.content) else completion("Ура")

    responder = build_responder(ModelsSettings(engine="echo", window_ms=0), PRESETS)
    engine = mocked(answer)
    responder.engine = responder.intake.engine = engine
    replies = responder.turn([Task(make_request("r"))])
    until = time.monotonic() + 20
    while not replies and time.monotonic() < until:
        replies = responder.turn()
    engine.close()
    made = replies[0].provenance
    assert made is not None and (made.sampling.repetition_penalty, made.sampling.top_k) == (1.0, 0)


def test_adapters_are_loaded_on_servers_that_can_and_named_on_those_that_cannot() -> None:
    asked: list[str] = []

    def able(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, text="Success")

    engine = mocked(able)
    engine.load_adapter("new", Path("/adapters/new"))
    assert engine.adapters == {"new"}
    engine.unload_adapter("new")
    with pytest.raises(UnknownAdapter):
        engine.admit([row(adapter="new")])
    engine.close()
    assert asked == ["/load_lora_adapter", "/unload_lora_adapter"]
    with pytest.raises(AdapterBroken, match="new"):
        mocked(lambda request: httpx.Response(404)).load_adapter("new", Path("/adapters/new"))


def test_old_turns_are_left_out_by_estimate_where_the_context_is_known() -> None:
    engine = mocked(lambda request: completion("Да"), context=300)
    turns = tuple(Turn(role="user" if index % 2 == 0 else "assistant", text="слово " * 30) for index in range(21))
    assert engine.measure(Prompt(turns, PRESETS.get("joy"), 2), 96) <= 300 - 96
