"""A small server that follows vLLM's documentation of runtime LoRA loading. It is not vLLM: no model is in it.

Written after docs.vllm.ai, "LoRA Adapters", section "Dynamically serving LoRA Adapters", and the error answers of
vLLM's own `/v1/load_lora_adapter`: names are listed beside the base, a name that is loaded already is refused with
400, a folder that is not there with 404, a rank above --max-lora-rank with 500, a model that is not served with 404,
and without VLLM_ALLOW_RUNTIME_LORA_UPDATING the addresses do not exist at all.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

BASE = "base-model"


class Likeness(BaseHTTPRequestHandler):
    """State is the class's own; `serving` makes a class of its own for each server."""

    protocol_version = "HTTP/1.1"
    allowed = True
    max_rank = 64
    loaded: ClassVar[dict[str, str]]
    calls: ClassVar[list[tuple[str, dict[str, Any]]]]
    lock: ClassVar[threading.Lock]

    def do_GET(self) -> None:
        models = [{"id": name, "object": "model"} for name in (BASE, *self.loaded)]
        self._answer(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        raw = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.rsplit("/", 1)[-1]
        with self.lock:
            self.calls.append((name, raw))
            if name == "completions":
                self._chat(raw)
            elif not self.allowed:
                self._answer(404, {"detail": "Not Found"})
            elif name == "load_lora_adapter":
                self._load(raw)
            else:
                self._unload(raw)

    def _chat(self, raw: dict[str, Any]) -> None:
        model = raw["model"]
        if model != BASE and model not in self.loaded:
            self._fault(404, f"The model `{model}` does not exist.")
            return
        message = {"role": "assistant", "content": f"Рад ответить, говорит {model}."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self._answer(200, {"choices": [choice], "usage": {"completion_tokens": 5}})

    def _load(self, raw: dict[str, Any]) -> None:
        name, path = raw.get("lora_name"), raw.get("lora_path")
        if not name or not path:
            self._fault(400, "Both 'lora_name' and 'lora_path' must be provided.")
        elif name in self.loaded:
            self._fault(400, f"The lora adapter '{name}' has already been loaded. If you want to load …")
        elif not (Path(path) / "adapter_config.json").is_file():
            self._fault(404, f"Loading lora {name} failed: No adapter found for {path}")
        elif json.loads((Path(path) / "adapter_config.json").read_text())["r"] > self.max_rank:
            self._fault(500, f"LoRA rank is greater than max_lora_rank {self.max_rank}.")
        else:
            self.loaded[name] = path
            self._answer(200, f"Success: LoRA adapter '{name}' added successfully.")

    def _unload(self, raw: dict[str, Any]) -> None:
        if self.loaded.pop(raw.get("lora_name", ""), None) is None:
            self._fault(404, f"The lora adapter '{raw.get('lora_name')}' cannot be found.")
        else:
            self._answer(200, f"Success: LoRA adapter '{raw['lora_name']}' removed successfully.")

    def _fault(self, status: int, message: str) -> None:
        self._answer(status, {"error": {"message": message, "type": "Fault", "code": status}})

    def _answer(self, status: int, body: Any) -> None:
        raw = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@contextmanager
def serving(**state: Any) -> Iterator[tuple[str, type[Likeness]]]:
    """(URL, the server's state) of a running one."""
    fresh = {"loaded": {}, "calls": [], "lock": threading.Lock()}
    kind = type("Likeness", (Likeness,), fresh | state)
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", kind
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
