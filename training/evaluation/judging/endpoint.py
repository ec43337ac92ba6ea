"""A judge behind an OpenAI-compatible server. Blocking calls, safe from several threads; httpx keeps the connections.

Knows no criterion: messages in, text and token counts out.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx

from models.engines import chat_api
from models.engines.openai import retry_after
from training.evaluation.judging.asking import JudgeFailed, Reply, TooLong
from training.evaluation.judging.settings import JudgeSettings

PAUSE = 0.5
BUSY = (408, 409, 425, 429)
# A reply without a verdict at temperature 0 would come again word for word.
OTHER_TEMPERATURE = 0.7
MESSAGE_TOKENS = 4


class EndpointJudge:
    """See `asking.Judge`."""

    def __init__(self, settings: JudgeSettings) -> None:
        if settings.url is None or settings.model is None:
            raise JudgeFailed("a server needs TRAINING_JUDGE_URL and TRAINING_JUDGE_MODEL")
        self.settings = settings
        self.model = settings.model
        self.address = chat_api.without_userinfo(settings.url)
        self._stopped = threading.Event()
        self._client = httpx.Client(
            base_url=settings.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {settings.key.get_secret_value()}"} if settings.key else {},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=5.0, pool=None),
            limits=httpx.Limits(max_connections=settings.concurrency),
        )

    @property
    def name(self) -> str:
        """Model and all of the request that shapes its replies; not the address, which may move."""
        shape = {"temperature": self.settings.temperature, "max_tokens": self.settings.max_tokens}
        return f"{self.model} {json.dumps({**shape, **self.settings.extra}, sort_keys=True)}"

    def ask(self, messages: list[dict[str, str]], seed: int, *, again: bool = False) -> Reply:
        """One chat completion."""
        raw = self._post(self.body(messages, seed, again=again))
        try:
            answer = chat_api.read_answer(raw)
            usage = raw.get("usage") or {}
        except (ValueError, AttributeError):
            raise JudgeFailed(f"{self.address} does not answer as an OpenAI-compatible server") from None
        estimated = sum(chat_api.estimate(message["content"]) + MESSAGE_TOKENS for message in messages)
        return Reply(answer.text, int(usage.get("prompt_tokens") or estimated), answer.tokens)

    def body(self, messages: list[dict[str, str]], seed: int, *, again: bool = False) -> dict[str, Any]:
        """The JSON of one request."""
        heat = self.settings.temperature
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "temperature": max(heat, OTHER_TEMPERATURE) if again else heat,
            "max_tokens": self.settings.max_tokens,
            "seed": seed,
            "stream": False,
            **self.settings.extra,
        }
        return {name: value for name, value in payload.items() if value is not None}

    def close(self) -> None:
        """Close the connections; threads that wait for a busy server give up."""
        self._stopped.set()
        self._client.close()

    def _post(self, payload: dict[str, Any]) -> Any:
        trouble, pause = "", PAUSE
        for attempt in range(self.settings.retries + 1):
            if attempt and self._stopped.wait(pause):
                break
            pause = PAUSE * 2**attempt
            try:
                response = self._client.post("chat/completions", json=payload)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
                continue
            if response.is_success:
                return _json(response)
            trouble = f"HTTP {response.status_code}"
            if response.status_code < 500 and response.status_code not in BUSY:
                raise self._refused(response)
            pause = retry_after(response.headers.get("retry-after"), pause)
        raise JudgeFailed(
            f"{self.address} does not answer ({trouble}); check TRAINING_JUDGE_URL, or run again later: "
            "verdicts that were given are kept"
        )

    def _refused(self, response: httpx.Response) -> Exception:
        """What an answer means that repeating would not change. The body is left out: servers quote dialogues."""
        status = response.status_code
        if chat_api.is_too_long(status, response.text):
            return TooLong()
        if status in (401, 403):
            return JudgeFailed(f"{self.address} refuses the key (HTTP {status}); check TRAINING_JUDGE_KEY")
        if status == 404:
            return JudgeFailed(
                f"{self.address} knows no chat completions or no model '{self.model}' (HTTP 404); "
                "check TRAINING_JUDGE_URL, which often ends with /v1, and TRAINING_JUDGE_MODEL"
            )
        return JudgeFailed(
            f"{self.address} refuses the request (HTTP {status}); TRAINING_JUDGE_EXTRA can remove what it does not "
            'take: {"seed": null}'
        )


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
