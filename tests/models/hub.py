"""A model hub on loopback: what `from_pretrained` asks for by id, out of folders of this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """`HF_ENDPOINT` for a client, and the paths it asked for. `repositories`: folder by `owner/name`."""

    repositories: Mapping[str, Path]
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET."""
        self.asked.append(path)
        api = path.removeprefix("/api/models/")
        owner, name, *rest = (api if api != path else path[1:]).split("/")
        folder = self.repositories.get(f"{owner}/{name}")
        if folder is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        files = sorted(file.name for file in folder.iterdir())
        if api != path:
            if rest[:1] == ["tree"]:
                listed = [{"type": "file", "path": one, "size": 1, "oid": one} for one in files]
                return 200, {}, json.dumps(listed if len(rest) == 2 else []).encode()
            about = {"id": f"{owner}/{name}", "sha": COMMIT, "siblings": [{"rfilename": one} for one in files]}
            return 200, {}, json.dumps(about).encode()
        wanted = "/".join(rest[2:])
        if wanted not in files:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        body = (folder / wanted).read_bytes()
        return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(body).hexdigest()}"'}, body


@contextmanager
def hub(repositories: Mapping[str, Path]) -> Iterator[Hub]:
    """The hub, running."""
    one = Hub(repositories)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = one.answer(unquote(urlsplit(self.path).path))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing: standard error is the test's."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        one.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield one
        finally:
            server.shutdown()
