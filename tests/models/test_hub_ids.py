"""Base and classifier by hub id, from a hub on loopback: loaded, named in provenance, and asked for only once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.contracts import ChatReply, ReplyState
from tests.models.hub import COMMIT, Hub, hub
from tests.models.tiny import save_classifier, save_model


def reply(served: Hub, cache: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """`otklik reply` with these models, in a process of its own: the address of the hub is read when it starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MODELS_", "HF_", "STORAGE_"))}
    environment = kept | {
        "HF_ENDPOINT": served.url,
        "HF_HOME": str(cache),
        "MODELS_DEVICE": "cpu",
        "MODELS_MAX_NEW_TOKENS": "8",
        "MODELS_CANDIDATES": "2",
        "OMP_NUM_THREADS": "1",
        **settings,
    }
    return subprocess.run(
        [sys.executable, "-m", "otklik", "reply", "--emotion", "joy"],
        env=environment,
        input=json.dumps({"text": "Привет"}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_base_and_classifier_come_from_a_hub_by_their_ids_and_later_from_the_cache(tmp_path: Path) -> None:
    repositories = {
        "tiny/talker": save_model("llama", tmp_path / "talker"),
        "tiny/judge": save_classifier(tmp_path / "judge"),
    }
    ids = {"MODELS_BASE": "tiny/talker", "MODELS_CLASSIFIER": "tiny/judge"}
    with hub(repositories) as served:
        done = reply(served, tmp_path / "cache", **ids)
        assert done.returncode == 0, done.stderr + "\n".join(served.asked)
        answer = ChatReply.model_validate_json(done.stdout)
        assert answer.state is ReplyState.DONE and answer.provenance is not None
        assert answer.provenance.base_model == f"tiny/talker@{COMMIT[:8]}"
        assert answer.provenance.classifier == f"tiny/judge@{COMMIT[:8]}"
        assert answer.fit_ok is not None and {"joy", "sadness", "neutral"} == set(answer.candidates[0].probabilities)
        asked = [path for path in served.asked if path.endswith(".safetensors")]
        assert {path.split("/")[2] for path in asked} == {"talker", "judge"}
    again = reply(served, tmp_path / "cache", HF_HUB_OFFLINE="1", **ids)
    assert again.returncode == 0, again.stderr
    assert ChatReply.model_validate_json(again.stdout).text == answer.text


@pytest.mark.parametrize("setting", ["MODELS_BASE", "MODELS_CLASSIFIER"])
def test_an_id_that_the_hub_does_not_know_is_named_with_the_setting_to_change(tmp_path: Path, setting: str) -> None:
    settings = {"MODELS_BASE": "tiny/talker", "MODELS_CLASSIFIER": "none", setting: "tiny/nowhere"}
    with hub({"tiny/talker": save_model("llama", tmp_path / "talker")}) as served:
        done = reply(served, tmp_path / "cache", **settings)
    assert done.returncode == 2 and done.stdout == ""
    assert "tiny/nowhere" in done.stderr and setting in done.stderr and "Traceback" not in done.stderr
