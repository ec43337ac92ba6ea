"""The engine that asks an OpenAI-compatible server: vLLM, llama.cpp, `transformers serve` and the like.

Every row is a request of its own, all of them at once; batching is the server's business. An adapter is a model name.
A thread of its own carries the connections, so that a cancelled row closes its connection at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, TypeVar

import httpx
import structlog

from models.engine import Broken, Event, Finished, Row
from models.engines import chat_api, runtime_lora
from models.errors import AdapterBroken, EngineUnavailable, ModelsError, PromptTooLong, UnknownAdapter
from models.prompt import Prompt
from models.settings import ModelsSettings
from storage.contracts import Sampling
from storage.presets import Presets

log = structlog.get_logger(__name__)

T = TypeVar("T")
TRIES = 3
PATIENCE = 0.05
PAUSE = 0.25
LONGEST_PAUSE = 10.0
CHAT = "chat/completions"


class ServerError(EngineUnavailable):
    """The server is there, but failed or knows no such address."""


class NotThere(ServerError):
    """The server knows no such model, or no such address."""


class Refused(EngineUnavailable):
    """The server does not take this request, and would not on asking again."""


class OpenAIEngine:
    """See `models.engine.Engine`. `step` waits up to 50 ms for an answer."""

    remote = True

    def __init__(
        self, settings: ModelsSettings, presets: Presets, *, transport: httpx.AsyncBaseTransport | None = None
    ):
        self.settings = settings
        self.presets = presets
        self.model = settings.openai_model or ""
        self.base_model = self.model
        self.sampling = Sampling()
        self.address = chat_api.without_userinfo(settings.openai_url or "")
        self.extensions = settings.openai_extensions
        self.prompt_version = chat_api.messages_version(presets)
        # Adapters and where the server finds them, so that one that it has lost can be loaded again.
        self._adapters: dict[str, Path] = {}
        self._loading = asyncio.Lock()
        self._asked: dict[str, tuple[Row, Future[chat_api.Answer]]] = {}
        key = settings.openai_key
        self._client = httpx.AsyncClient(
            base_url=(settings.openai_url or "").rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            timeout=httpx.Timeout(settings.openai_timeout, connect=5.0, pool=None),
            limits=httpx.Limits(max_connections=settings.batch),
            transport=transport,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai", daemon=True)
        self._thread.start()
        self._check()

    @property
    def adapters(self) -> frozenset[str]:
        return frozenset(self._adapters)

    @property
    def running(self) -> int:
        return len(self._asked)

    def measure(self, prompt: Prompt, new_tokens: int) -> int:
        return chat_api.size(self._windowed(prompt, new_tokens), self.presets)

    def admit(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.adapter is not None and row.adapter not in self._adapters:
                raise UnknownAdapter(f"adapter {row.adapter!r} is not loaded")
        for row in rows:
            prompt = self._windowed(row.prompt, row.sampling.max_new_tokens)
            payload = chat_api.body(row, prompt, self.presets, self.model, extensions=self.extensions)
            self._asked[row.row_id] = row, self._start(self._complete(payload, row.adapter))

    def step(self) -> list[Event]:
        wait([future for _, future in self._asked.values()], timeout=PATIENCE, return_when=FIRST_COMPLETED)
        done = [row_id for row_id, (_, future) in self._asked.items() if future.done()]
        return [self._event(*self._asked.pop(row_id)) for row_id in done]

    def cancel(self, row_ids: Sequence[str]) -> None:
        for row_id in row_ids:
            asked = self._asked.pop(row_id, None)
            if asked is not None:
                asked[1].cancel()

    def reset(self) -> None:
        self.cancel(list(self._asked))

    def use_presets(self, presets: Presets) -> None:
        self.presets = presets
        self.prompt_version = chat_api.messages_version(presets)

    def load_adapter(self, adapter_id: str, folder: Path) -> None:
        """Use an adapter that the server has under this name, or have it load the folder (vLLM's runtime loading)."""
        if adapter_id not in self._adapters:
            self._wait(self._load(adapter_id, folder))
            self._adapters[adapter_id] = folder

    def unload_adapter(self, adapter_id: str) -> None:
        """The server is told, but not waited for."""
        if self._adapters.pop(adapter_id, None) is not None:
            self._start(self._unload(adapter_id))

    def close(self) -> None:
        self.reset()
        self._wait(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _check(self) -> None:
        """The server must answer now: a wrong address should not be found out by the first person who writes."""
        try:
            names = self._wait(self._names())
        except (ServerError, ValueError):
            # Some servers cannot list models and answer chats all the same.
            log.warning("the server does not list its models", url=self.address)
            return
        except ModelsError as error:
            self.close()
            raise EngineUnavailable(
                f"{self.address} does not answer as an OpenAI-compatible server ({error}); "
                "check MODELS_OPENAI_URL and MODELS_OPENAI_KEY"
            ) from error
        if names and self.model not in names:
            log.warning("the server does not list this model", model=self.model, listed=names[:8])

    def _windowed(self, prompt: Prompt, new_tokens: int) -> Prompt:
        return chat_api.windowed(prompt, self.presets, self.settings.context, new_tokens)

    @staticmethod
    def _event(row: Row, future: Future[chat_api.Answer]) -> Event:
        error = future.exception()
        if error is None:
            answer = future.result()
            drawn = chat_api.plain_sampling(row.sampling) if answer.plain else None
            return Finished(row.row_id, answer.text, answer.tokens, answer.finish, drawn)
        return Broken(row.row_id, error if isinstance(error, Exception) else EngineUnavailable(str(error)))

    async def _load(self, adapter_id: str, folder: Path) -> None:
        """AdapterBroken says what the server wants."""
        async with self._loading:
            try:
                if adapter_id in await self._names():
                    return
            except (ServerError, ValueError):
                log.warning("the server does not list its models", url=self.address)
            except ModelsError as error:
                raise AdapterBroken(f"adapter {adapter_id}: {error}") from error
            try:
                answer = await self._client.post(runtime_lora.LOAD, json=runtime_lora.load_body(adapter_id, folder))
            except httpx.HTTPError as error:
                raise AdapterBroken(f"adapter {adapter_id}: the server does not answer ({error})") from error
            if fault := runtime_lora.fault(answer.status_code, answer.text, folder):
                raise AdapterBroken(f"adapter {adapter_id}: {fault}")

    async def _unload(self, adapter_id: str) -> None:
        async with self._loading:
            if adapter_id in self._adapters:  # wanted again meanwhile
                return
            with contextlib.suppress(ModelsError):
                await self._post(runtime_lora.UNLOAD, runtime_lora.unload_body(adapter_id))

    async def _leave(self) -> None:
        """What the server was told already should reach it, but a silent one keeps nobody."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2), self._loading:
                pass
        await self._client.aclose()

    async def _ask(self, payload: dict[str, Any], adapter: str | None) -> httpx.Response:
        """One completion; an adapter that the server has lost (it was started anew) is loaded again first."""
        try:
            return await self._post(CHAT, payload)
        except NotThere:
            folder = self._adapters.get(adapter or "")
            if adapter is None or folder is None:
                raise
        log.warning("the server has lost an adapter", adapter=adapter)
        try:
            await self._load(adapter, folder)
        except AdapterBroken as error:
            raise ServerError(str(error)) from error
        return await self._post(CHAT, payload)

    async def _complete(self, payload: dict[str, Any], adapter: str | None) -> chat_api.Answer:
        plain = chat_api.without_extensions(payload)
        sent = payload
        try:
            response = await self._ask(payload, adapter)
        except Refused:
            if plain == payload:
                raise
            sent = plain
            # Strict servers refuse what others need; the first refusal settles it for this server.
            response = await self._ask(plain, adapter)
            if self.extensions:
                log.warning("the server refuses sampling beyond OpenAI's fields; they are left out from now on")
            self.extensions = False
        try:
            return chat_api.read_answer(response.json(), plain=sent == plain)
        except ValueError as error:
            raise EngineUnavailable(str(error)) from error

    async def _names(self) -> list[str]:
        return chat_api.model_names((await self._send("GET", "models", None)).json())

    async def _post(self, path: str, payload: dict[str, Any]) -> httpx.Response:
        return await self._send("POST", path, payload)

    async def _send(self, method: str, path: str, payload: dict[str, Any] | None) -> httpx.Response:
        """One call; busy or failing servers and broken connections are asked again, with pauses."""
        trouble: EngineUnavailable = EngineUnavailable("not asked")
        for attempt in range(TRIES):
            pause = PAUSE * 4**attempt
            try:
                response = await self._client.request(method, path, json=payload)
            except httpx.TransportError as error:
                trouble = EngineUnavailable(f"{type(error).__name__}: {error}")
            else:
                if response.is_success:
                    return response
                trouble = ServerError(f"HTTP {response.status_code}")
                if response.status_code != 429 and response.status_code < 500:
                    raise refused(response.status_code, response.text)
                pause = retry_after(response.headers.get("retry-after"), pause)
            if attempt + 1 < TRIES:
                await asyncio.sleep(pause)
        raise trouble

    def _start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._start(work).result()


def refused(status: int, text: str) -> ModelsError:
    """The error for an answer that repeating would not change."""
    if chat_api.is_too_long(status, text):
        return PromptTooLong("the server says that the prompt exceeds the model's context")
    if status == 404:
        return NotThere("HTTP 404")
    # The body is left out: servers quote the dialogue in it, and this text is logged.
    return Refused(f"HTTP {status}")


def retry_after(header: str | None, otherwise: float) -> float:
    """Seconds to pause as the server asks, within a bound; `otherwise` where it does not say."""
    try:
        return min(float(header or ""), LONGEST_PAUSE)
    except ValueError:
        return otherwise
