"""The deployment files: valid by the Compose specification, no default secrets, images that can start."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from bot.api.settings import ApiSettings
from bot.settings import BotSettings
from models.settings import ModelsSettings
from otklik.__main__ import COMMANDS
from storage.settings import StorageSettings, Strict
from training.settings import TrainingSettings

ROOT = Path(__file__).resolve().parents[2]
# Files that the image lacks, and a judge with a key of its own: a compose file of one's own mounts and names them.
NOT_OF_A_CONTAINER = {"TRAINING_RECIPES", "TRAINING_GATE_JUDGE"}
SECRETS = ("BOT_TOKEN", "REDIS_PASSWORD", "POSTGRES_PASSWORD")


class ComposeLoader(yaml.SafeLoader):
    """YAML with Compose's own merge tags, which the loader keeps as plain values."""


ComposeLoader.add_constructor("!reset", lambda loader, node: loader.construct_mapping(node))  # type: ignore[arg-type]


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


def set_in(environment: dict[str, str], text: str) -> str:
    """A compose file with its variables replaced, as Compose does it; KeyError names one that is required."""

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if kind == ":?" and not environment.get(name):
            raise KeyError(rest)
        return environment.get(name) or (rest if kind == ":-" else "")

    resolved = re.sub(r"(?<!\$)\$\{(\w+)(:\?|:-)([^}]*)\}", value, text)
    assert not re.search(r"(?<!\$)\$(?!\$)", resolved), "a variable of another form"
    return resolved


@pytest.mark.parametrize("missing", SECRETS)
@pytest.mark.parametrize("blank", [True, False])
def test_without_a_secret_nothing_starts(missing: str, blank: bool) -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    given = {secret: f"<{secret}>" for secret in SECRETS}
    assert set(re.findall(r"<(\w+)>", set_in(given, text))) == set(SECRETS)
    given[missing] = ""
    with pytest.raises(KeyError, match=f"set {missing} in .env"):
        set_in(given if blank else {name: value for name, value in given.items() if value}, text)
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert all(f"\n{secret}=\n" in "\n" + example for secret in SECRETS)


def image(target: str) -> list[tuple[str, str]]:
    """Instructions of a Dockerfile's target, those of the stages that it stands on first."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    stages = {found[2]: found for found in re.finditer(r"^FROM (\S+) AS (\w+)\n(.*?)(?=^FROM |\Z)", text, re.M | re.S)}
    found: list[tuple[str, str]] = []
    while target in stages:
        words = [line.partition(" ") for line in stages[target][3].splitlines() if line and line[0] not in "# "]
        found = [(word, rest) for word, _, rest in words] + found
        target = stages[target][1]
    return found


def services() -> dict[str, dict[str, Any]]:
    found = compose("docker-compose.yml")["services"]
    assert isinstance(found, dict)
    return found


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Folder in the container → named volume."""
    return {folder: volume for volume, folder in (one.split(":") for one in service["volumes"])}


@pytest.mark.parametrize("name", ["bot", "api", "worker", "trainer"])
def test_every_part_has_an_image_that_starts_it_and_watches_it(name: str) -> None:
    service = services()[name]
    assert service["build"]["target"] == name
    made = image(name)
    last = dict(made)
    assert json.loads(last["ENTRYPOINT"]) == ["otklik", name]
    assert json.loads(last["HEALTHCHECK"].partition(" CMD ")[2]) == ["python", "-m", "otklik.alive", name]
    copied = {word for instruction, rest in made if instruction == "COPY" for word in rest.split()[:-1]}
    assert {COMMANDS[name][0].partition(".")[0], "otklik", "storage"} <= copied
    assert last["USER"] == "otklik"
    owned = re.findall(r"install -d -o otklik -g otklik (.+)", "\n".join(rest for _, rest in made))
    assert set(mounts(service)) <= set(" ".join(owned).split()), (
        "a new volume belongs to root where the image has no such folder"
    )


@pytest.mark.parametrize("name", ["bot", "api", "worker", "trainer"])
def test_an_image_holds_the_product_compiled(name: str) -> None:
    made = image(name)
    assert "PYTHONDONTWRITEBYTECODE=1" in dict(made)["ENV"], "processes would compile it, each anew"
    (compiled,) = [at for at, (word, rest) in enumerate(made) if word == "RUN" and "compileall -q /app" in rest]
    assert compiled > max(at for at, (word, _) in enumerate(made) if word == "COPY")
    assert compiled < min(at for at, (word, _) in enumerate(made) if word == "USER"), "/app belongs to root"


def test_torch_in_the_images_is_the_pinned_one() -> None:
    pin = re.search(r'"(torch==[^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert pin is not None
    for name in ("worker", "trainer"):
        assert any(pin[1] in rest for instruction, rest in image(name) if instruction == "RUN")


def test_everything_survives_restarts_and_waits_for_a_healthy_redis_and_postgres() -> None:
    for name, service in services().items():
        assert service["restart"] == "unless-stopped", name
        if "build" in service:
            healthy = {"condition": "service_healthy"}
            assert service["depends_on"] == {"redis": healthy, "postgres": healthy}, name
            assert "@redis:6379" in service["environment"]["STORAGE_REDIS_URL"]
            assert "@postgres:5432/otklik" in service["environment"]["STORAGE_DATABASE_URL"]
        else:
            assert service["healthcheck"]["test"][0] == "CMD-SHELL", name


def test_redis_and_postgres_keep_what_they_have_acknowledged() -> None:
    redis, postgres = services()["redis"], services()["postgres"]
    assert "--appendonly yes" in redis["command"][-1] and "--requirepass" in redis["command"][-1]
    assert "valkey-cli ping" in redis["healthcheck"]["test"][1]
    assert "/data" in mounts(redis)
    assert postgres["image"].startswith("postgres:")
    assert "pg_isready -U otklik -d otklik" in postgres["healthcheck"]["test"][1]
    assert "/var/lib/postgresql/data" in mounts(postgres)


def test_named_volumes_are_declared_and_used() -> None:
    used = {volume for service in services().values() for volume in mounts(service).values()}
    assert used == set(compose("docker-compose.yml")["volumes"])  # type: ignore[call-overload]
    assert mounts(services()["redis"])["/data"] not in mounts(services()["bot"]).values()


def test_nothing_is_open_to_the_network_by_itself() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_worker_and_trainer_reserve_a_gpu_unless_told_that_there_is_none() -> None:
    without = compose("docker-compose.cpu.yml")["services"]
    for name in ("worker", "trainer"):
        (device,) = services()[name]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])
        assert without[name]["deploy"] == {}  # type: ignore[index]
        assert without[name]["build"]["args"]["TORCH_INDEX"].endswith("/whl/cpu")  # type: ignore[index]


def test_the_trainer_refits_the_model_that_the_worker_serves() -> None:
    worker, trainer = services()["worker"], services()["trainer"]
    for name in ("MODELS_BASE", "MODELS_QUANTIZATION", "HF_HOME", "HF_TOKEN"):
        assert trainer["environment"][name] == worker["environment"][name]
    assert mounts(trainer) == mounts(worker)
    assert worker["environment"]["HF_HOME"] in mounts(worker)


def test_worker_and_trainer_can_be_told_what_the_pages_name() -> None:
    loop = (ROOT / "docs" / "loop.md").read_text(encoding="utf-8")
    named = set(re.findall(r"TRAINING_[A-Z_]*[A-Z]\b(?!_)", loop))
    trainer, worker = services()["trainer"]["environment"], services()["worker"]["environment"]
    assert {"TRAINING_REFITS", "TRAINING_SCHEDULE", "TRAINING_DRAIN"} <= set(trainer) and "MODELS_SHARES_GPU" in worker
    assert named - set(trainer) <= NOT_OF_A_CONTAINER, "a setting that cannot be given to the trainer"
    assert {name.removeprefix("TRAINING_").lower() for name in trainer if name.startswith("TRAINING_")} <= set(
        TrainingSettings.model_fields
    )


# Set by the file or the image itself, or of use to `otklik up` alone.
GIVEN = {
    *("STORAGE_DIR", "STORAGE_REDIS_URL", "STORAGE_DATABASE_URL", "API_LISTEN", "BOT_WEBHOOK_LISTEN"),
    "BOT_PLAYGROUND_LISTEN",
}


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("bot", (BotSettings, StorageSettings)),
        ("api", (ApiSettings, StorageSettings)),
        ("worker", (ModelsSettings, StorageSettings)),
        ("trainer", (TrainingSettings, ModelsSettings, StorageSettings)),
    ],
)
def test_every_setting_of_a_part_reaches_it_and_no_other_name_does(
    name: str, classes: tuple[type[Strict], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = services()[name]["environment"]
    known = {one.model_config["env_prefix"] + field.upper() for one in classes for field in one.model_fields}
    assert known - set(environment) <= GIVEN | NOT_OF_A_CONTAINER, "a setting that cannot be given"
    named = {key for key in environment if key.startswith(("API_", "BOT_", "MODELS_", "STORAGE_", "TRAINING_"))}
    assert named - known <= ({"BOT_TOKEN", "BOT_ADMINS"} if name == "api" else set())
    # As Compose hands them on: what has no value anywhere is left out.
    secrets = {"BOT_TOKEN": "1:a", "REDIS_PASSWORD": "r", "POSTGRES_PASSWORD": "p"}
    text = set_in(secrets, (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    for key, value in yaml.load(text, ComposeLoader)["services"][name]["environment"].items():
        if value is not None:
            monkeypatch.setenv(key, str(value))
    for one in classes:
        one()


def test_what_the_image_copies_is_not_ignored() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in re.findall(r"^COPY (.+)$", dockerfile, re.M) for word in line.split()[:-1]}
    assert copied <= allowed
    assert all((ROOT / name).exists() for name in copied)
