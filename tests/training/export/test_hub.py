"""Uploads against a local server that answers as the hub's API does; what is sent, and that the token stays secret."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from models.settings import STARTER
from training.export.card import card
from training.export.commands import main
from training.export.errors import HubRefused, SourceUnusable, ToolMissing
from training.export.hub import upload
from training.export.settings import HubSettings

TOKEN = "hf_secret_of_the_test"


@dataclass
class Hub:
    """What reached the server. `refuse`: status and text of every answer instead of the usual ones."""

    url: str = ""
    created: dict[str, Any] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    refuse: tuple[int, str] | None = None

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        if path == "/api/repos/create":
            self.created = json.loads(body)
            return {"url": f"{self.url}/org/model"}
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        if path == "/api/models/org/model/preupload/main":
            named = [one["path"] for one in json.loads(body)["files"]]
            return {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in named]}
        assert path == "/api/models/org/model/commit/main", path
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
        return {"success": True, "commitUrl": f"{self.url}/org/model/commit/abc", "commitOid": "abc"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("Content-Length")
            body = self.rfile.read(int(length)) if length else b"".join(self._chunks())
            state.tokens.add(self.headers["Authorization"])
            status, content = 200, state.answer(self.path.split("?")[0], body) if state.refuse is None else {}
            if state.refuse:
                status, content = state.refuse[0], {"error": state.refuse[1]}
            raw = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An adapter as a run leaves it, beside things that must not travel."""
    import shutil

    run = tmp_path / "home" / "kto-joy"
    folder = run / "adapter"
    shutil.copytree(STARTER / "adapter", folder)
    (folder / "train.jsonl").write_text('{"text": "личное"}\n')
    (folder / ".cache").write_text("x")
    (folder / "checkpoint").mkdir()
    sources = {"seed": {"sha256": {"01.txt": "aa11"}, "licence": "CC0"}}
    (run / "manifest.json").write_text(json.dumps({"data": {"sources": sources}}))
    (run / "recipe.yaml").write_text(f"name: joy\ndata: {tmp_path}/home/rows\nbeta: 0.1\n")
    (run / "metrics.jsonl").write_text('{"step": 40, "loss": 0.51, "eval_loss": 0.6, "train_runtime": 9.0}\n')
    return folder


def settings(hub: Hub) -> HubSettings:
    return HubSettings(token=SecretStr(TOKEN), url=hub.url)


def test_model_goes_up_in_one_commit_with_its_card(hub: Hub, adapter: Path) -> None:
    assert upload(adapter, "org/model", settings(hub), private=True).endswith("/commit/abc")
    assert sorted(hub.files) == ["README.md", "adapter_config.json", "adapter_model.safetensors"]
    assert hub.files["adapter_model.safetensors"] == (adapter / "adapter_model.safetensors").read_bytes()
    assert hub.created["name"] == "model"
    assert hub.created["organization"] == "org"
    assert hub.created.get("private") or hub.created.get("visibility") == "private"
    assert hub.tokens == {f"Bearer {TOKEN}"}


def test_card_tells_data_licences_hashes_and_measurements(adapter: Path, tmp_path: Path) -> None:
    text = card(adapter, "org/model", "apache-2.0")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == "apache-2.0"
    assert head["base_model"] == "starter/base"
    assert head["library_name"] == "peft"
    assert "| seed | CC0 | aa11 |" in text
    assert "| eval_loss | 0.6 |" in text
    assert "train_runtime" not in text
    assert "beta: 0.1" in text
    assert "rank 32, alpha 64" in text
    weights = Path("models/starter/adapter/adapter_model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() in text
    assert str(tmp_path) not in text


def test_card_of_a_merged_model_comes_from_its_provenance(merged_starter: Path) -> None:
    text = card(merged_starter, "org/model")
    assert "starter with a LoRA adapter merged into its weights (rank 32, alpha 64)" in text
    assert "This model: not recorded" in text
    assert "## Data\n\nNot recorded." in text


def test_own_card_is_kept(hub: Hub, adapter: Path) -> None:
    (adapter / "README.md").write_text("# Mine\n")
    upload(adapter, "org/model", settings(hub))
    assert hub.files["README.md"] == b"# Mine\n"


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        ((401, f"bad token {TOKEN}"), "wrong or has expired"),
        ((403, "no"), "may not write"),
        ((500, f"oops {TOKEN}"), "oops …"),
    ],
)
def test_refusals_are_explained_without_the_token(
    refuse: tuple[int, str],
    said: str,
    hub: Hub,
    adapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.refuse = refuse
    monkeypatch.setenv("TRAINING_HUB_TOKEN", TOKEN)
    monkeypatch.setenv("TRAINING_HUB_URL", hub.url)
    assert main(["hub", "--folder", str(adapter), "--repo", "org/model"]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert TOKEN not in shown.err + shown.out


def test_command_prints_where_the_upload_is(
    hub: Hub, adapter: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINING_HUB_TOKEN", TOKEN)
    monkeypatch.setenv("TRAINING_HUB_URL", hub.url)
    assert main(["hub", "--folder", str(adapter), "--repo", "org/model", "--licence", "mit"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == f"{hub.url}/org/model/commit/abc"
    assert TOKEN not in shown.err + shown.out
    assert b"license: mit" in hub.files["README.md"]


def test_what_is_missing_is_said_before_anything_is_sent(
    hub: Hub, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnusable, match="no weights"):
        upload(tmp_path, "org/model", settings(hub))
    with pytest.raises(HubRefused, match="TRAINING_HUB_TOKEN"):
        upload(adapter, "org/model", HubSettings(token=None, url=hub.url))
    with pytest.raises(HubRefused, match="owner/name"):
        upload(adapter, "org/model/three", settings(hub))
    monkeypatch.setattr("training.export.hub.find_spec", lambda _: None)
    with pytest.raises(ToolMissing, match="huggingface_hub"):
        upload(adapter, "org/model", settings(hub))
    assert hub.files == {}


def test_hub_out_of_reach_is_explained(adapter: Path) -> None:
    with pytest.raises(HubRefused, match=r"127\.0\.0\.1:9 cannot be used"):
        upload(adapter, "org/model", HubSettings(token=SecretStr(TOKEN), url="http://127.0.0.1:9"))


def test_token_is_no_option_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["hub", "--help"])
    assert "--token" not in capsys.readouterr().out
    assert TOKEN not in repr(HubSettings(token=SecretStr(TOKEN)))
