"""docs/tuning.md stays true: its commands parse, its recipes and keys exist, its messages are those of the code."""

from __future__ import annotations

import fnmatch
import importlib
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from otklik import __main__ as otklik
from training import cli, recipes
from training.bases import Lora
from training.ppo_keys import PpoKeys
from training.scoring import RewardKeys

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tuning.md"
# Methods that made the bundled weights; their recipes speak for themselves.
OWN = ("pretrain", "starter", "starter_classifier", "reader")


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """The `otklik …` commands of all shell blocks, without settings before them and what follows a &&."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text(), re.DOTALL) for line in block.splitlines()]
    found = []
    for line in lines:
        words = shlex.split(line)
        while re.match(r"^[A-Z_]+=", words[0]):
            words = words[1:]
        if words[0] == "accelerate":
            assert Path(ROOT, words[words.index("--config_file") + 1]).is_file()
            words = ["otklik", *words[words.index("training.cli") + 1 :]]
        assert words[0] == "otklik", line
        found.append(words[1:])
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one_that_there_is(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert words[0] in otklik.COMMANDS
    if words[0] == "train":
        trained(words[1:])
        return
    depth = 2 if words[0] in ("data", "export") else 1
    options = [one for one in words if one.startswith("--")]
    if options:
        with pytest.raises(SystemExit) as ended:
            otklik.load(otklik.COMMANDS[words[0]][0])([*words[1:depth], "--help"])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert not [one for one in options if one not in shown]


def trained(words: list[str]) -> None:
    """The recipe exists and takes what is laid over it."""
    method, flag, path, *rest = words
    assert flag == "--recipe"
    overrides = [value for key, value in itertools.pairwise(rest) if key == "--set"]
    assert set(rest) - set(overrides) <= {"--set", "--resume"}
    module, kind = cli.METHODS[method]
    recipes.load(getattr(importlib.import_module(module), kind), ROOT / path, overrides)


def test_every_method_and_shipped_recipe_is_named() -> None:
    rows = {row.split("|")[1]: row for row in text().splitlines() if row.startswith("| `")}
    named = {name for first in rows for name in re.findall(r"`(\w+)`", first)}
    assert set(cli.METHODS) <= named
    patterns = re.findall(r"`([\w*]+\.yaml)`", text())
    shipped = [path.name for path in recipes.FOLDER.glob("*.yaml")]
    assert not [name for name in shipped if not any(fnmatch.fnmatch(name, one) for one in patterns)]
    files = ["recipe.yaml", *shipped, *(path.name for path in (ROOT / "training" / "accelerate").glob("*.yaml"))]
    assert not [one for one in patterns if not fnmatch.filter(files, one)]


def keys() -> Iterator[str]:
    kinds: list[type[BaseModel]] = [Lora, PpoKeys, RewardKeys]
    for name, (module, kind) in cli.METHODS.items():
        if name not in OWN:
            kinds.append(getattr(importlib.import_module(module), kind))
    yield from sorted({key for kind in kinds for key in kind.model_fields})


def test_every_key_of_a_recipe_is_named() -> None:
    assert not [key for key in keys() if not re.search(rf"`{key}[`:=]", text())]


def test_messages_are_those_of_the_code() -> None:
    table = text().split("## Errors")[1]
    messages = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(messages) > 8
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "training").rglob("*.py")]
    # A message may be broken over two lines of code.
    joined = re.sub(r'"\s*f?"', "", "\n".join(code))
    for message in messages:
        for part in message.split("…"):
            assert part.strip(" :") in joined


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", text()):
        assert link.startswith("https://arxiv.org/abs/") or (PAGE.parent / link).exists()
