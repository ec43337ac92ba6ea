"""The command as an operator meets it: messages, exit status, and no secret anywhere."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from training import cli
from training.data.helpdesk import fake
from training.data.helpdesk.errors import WrongSettings
from training.data.helpdesk.settings import HelpdeskSettings, load
from training.data.scrub.names import NamesUnavailable

SECRETS = (fake.SECRET, fake.REFRESH, "1000.access-")


def test_the_command_exports_and_says_what(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.data(["helpdesk", "zoho", "--articles", "--out", str(tmp_path / "desk")]) == 0
    assert capsys.readouterr().out == "articles: 24\n"
    assert not (tmp_path / "desk" / "tickets.jsonl").exists()


def test_a_second_start_needs_resume_and_then_changes_nothing(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], zoho: fake.FakeZoho
) -> None:
    start = ["helpdesk", "zoho", "--articles", "--out", str(tmp_path / "desk")]
    assert cli.data(start) == 0
    assert cli.data(start) == 2
    assert "go on with --resume" in capsys.readouterr().err
    before = len(zoho.requests)
    assert cli.data([*start, "--resume"]) == 0
    assert len(zoho.requests) == before


def test_check_asks_the_desk_and_writes_nothing(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], zoho: fake.FakeZoho
) -> None:
    assert cli.data(["helpdesk", "zoho", "--check"]) == 0
    assert "tickets: oldest first" in capsys.readouterr().out
    assert len(zoho.requests) < 30


def test_no_secret_is_shown_or_written(
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    zoho: fake.FakeZoho,
) -> None:
    caplog.set_level(logging.DEBUG)
    zoho.every = {"expire": 15}
    assert cli.data(["helpdesk", "zoho", "--articles", "--out", str(tmp_path / "desk")]) == 0
    zoho.every = {"429": 1}
    zoho.retry_after = "100000"
    assert cli.data(["helpdesk", "zoho", "--tickets", "--out", str(tmp_path / "other")]) == 2
    shown = capsys.readouterr()
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    asked = "\n".join(zoho.requests)
    assert "helpdesk.token_renewed" in shown.err
    for secret in SECRETS:
        assert secret not in shown.out + shown.err + caplog.text + written + asked + repr(HelpdeskSettings())


def test_all_that_is_missing_or_wrong_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAINING_ZOHO_CLIENT_SECRET", "hidden-value")
    monkeypatch.setenv("TRAINING_ZOHO_ORG_ID", "my firm")
    monkeypatch.setenv("TRAINING_ZOHO_DESK_URL", "http://desk.example.ru")
    monkeypatch.setenv("TRAINING_ZOHO_REGOIN", "eu")
    assert cli.data(["helpdesk", "zoho", "--out", str(tmp_path / "desk")]) == 2
    said = capsys.readouterr().err
    for name in ("CLIENT_ID is not set", "REFRESH_TOKEN is not set", "ORG_ID:", "DESK_URL: must be https://", "REGOIN"):
        assert f"TRAINING_ZOHO_{name}" in said
    assert "hidden-value" not in said and "my firm" not in said


def test_an_empty_secret_is_no_secret(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_ZOHO_CLIENT_SECRET", "")
    with pytest.raises(WrongSettings, match="CLIENT_SECRET is not set"):
        load()


def test_a_region_chooses_both_servers(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNTS_URL", "DESK_URL"):
        monkeypatch.setenv(f"TRAINING_ZOHO_{name}", "")
    monkeypatch.setenv("TRAINING_ZOHO_REGION", "eu")
    assert (load().accounts(), load().desk()) == ("https://accounts.zoho.eu", "https://desk.zoho.eu")


def test_names_without_natasha_end_before_the_first_request(
    environment: dict[str, str],
    zoho: fake.FakeZoho,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing() -> None:
        raise NamesUnavailable("natasha is not installed")

    monkeypatch.setattr("training.data.scrub.names.load", missing)
    assert cli.data(["helpdesk", "zoho", "--names", "--out", str(tmp_path / "desk")]) == 2
    assert "natasha" in capsys.readouterr().err
    assert zoho.requests == []


@pytest.mark.parametrize("wrong", [["--since", "yesterday", "--out", "x"], []])
def test_wrong_arguments_end_with_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.data(["helpdesk", "zoho", *wrong])
    assert ended.value.code == 2
    assert "otklik data helpdesk" in capsys.readouterr().err
