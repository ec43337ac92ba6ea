"""A local OpenAI-compatible server whose verdicts follow a rule, and samples to judge."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from storage.contracts import Turn
from training.evaluation.samples import Sample

ANSWERS = re.compile(r'<ответ номер="[12]">\n(.*?)\n</ответ>', re.DOTALL)
Rule = Callable[[str, str, dict[str, Any]], str | tuple[int, dict[str, Any]]]


@dataclass
class Server:
    """Answers by `rule(first answer, second answer, request) -> reply`, or a status with a body."""

    url: str
    rule: Rule
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def verdict(choice: int, *names: str) -> str:
    return json.dumps({name: choice for name in names or ("relevance", "usefulness", "clarity")})


def longer_wins(first: str, second: str, body: dict[str, Any]) -> str:
    return verdict(1 if len(first) > len(second) else 2 if len(second) > len(first) else 0)


@contextmanager
def serving() -> Iterator[Server]:
    """The server, for as long as it is needed."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.bodies.append(body)
            made.keys.append(self.headers.get("authorization", ""))
            first, second = ANSWERS.findall(body["messages"][1]["content"])
            said = made.rule(first, second, body)
            status, told = said if isinstance(said, tuple) else (200, completion(said))
            raw = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Server(f"http://127.0.0.1:{listening.server_port}/v1", longer_wins)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    listening.shutdown()
    thread.join()
    listening.server_close()


def completion(text: str) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 300, "completion_tokens": 20}}


def sample(system: str, key: int | str, answer: str, **more: Any) -> Sample:
    prompt = (Turn(role="user", text=f"Расскажи, как прошёл день номер {key}."),)
    return Sample(key=str(key), system=system, prompt=prompt, answer=answer, **more)
