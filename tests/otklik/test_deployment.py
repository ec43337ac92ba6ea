"""The deployment files: valid by the Compose specification, no default secrets, images that can start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("BOT_TOKEN", "REDIS_PASSWORD", "POSTGRES_PASSWORD")


class ComposeLoader(yaml.SafeLoader):
    """YAML with Compose's own merge tags, which the loader keeps as plain values."""


ComposeLoader.add_constructor("!reset", lambda loader, node: loader.construct_mapping(node))


def compose(name: str) -> dict[str, object]:
    content = yaml.load((ROOT / name).read_text(encoding="utf-8"), ComposeLoader)
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.cpu.yml"])
def test_compose_files_follow_the_specification(name: str) -> None:
    parsed = PyCompose.from_yaml(yaml.safe_dump(compose(name)))
    assert "worker" in parsed.service_names()


def test_the_check_itself_refuses_a_wrong_file() -> None:
    broken = compose("docker-compose.yml")
    broken["services"]["bot"]["depend_on"] = []  # type: ignore[index]
    with pytest.raises(ValueError, match="depend_on"):
        PyCompose.from_yaml(yaml.safe_dump(broken))


def test_secrets_have_no_defaults() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for secret in SECRETS:
        uses = re.findall(r"\$\{" + secret + r"([^}]*)\}", text)
        assert uses, secret
        assert all(use.startswith(":?") for use in uses), secret
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert all(f"\n{secret}=\n" in "\n" + example for secret in SECRETS)


def test_every_service_survives_restarts_and_is_health_checked() -> None:
    services = compose("docker-compose.yml")["services"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for name, service in services.items():  # type: ignore[attr-defined]
        assert service["restart"] == "unless-stopped"
        assert service["volumes"], name
        if "build" in service:
            target = service["build"]["target"]
            stage = dockerfile.split(f" AS {target}\n")[1].split("\nFROM ")[0]
            assert "HEALTHCHECK" in stage
        else:
            assert service["healthcheck"]["test"]


def test_what_the_image_copies_is_not_ignored() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in re.findall(r"^COPY (.+)$", dockerfile, re.M) for word in line.split()[:-1]}
    assert copied <= allowed
    assert all((ROOT / name).exists() for name in copied)
