"""What Ollama would render from our Modelfile is what serving renders, for every chat format that we meet."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from models.prompt import Prompt, render, render_plain
from models.settings import STARTER
from storage.contracts import Turn
from storage.presets import Presets
from tests.training.export.families import CHATML, FAMILIES, LLAMA3, MISTRAL, save_model, tokenizer
from tests.training.export.go_template import collate, execute
from training.export.commands import main
from training.export.errors import SourceUnusable, Unsupported
from training.export.gguf_file import export as export_gguf
from training.export.ollama import Mood, export, go_template, modelfile, read
from training.export.wrapping import Wrapping, plain_renderer, wrapping_of

# Mistral's later releases put the system text before the person's newest words.
NEWEST = MISTRAL.replace(
    "{% for",
    "{% if messages[0].role == 'system' %}{% set s, messages = messages[0].content, messages[1:] %}{% endif %}{% for",
).replace("'[INST] ' +", "'[INST] ' + (s + '\\n\\n' if loop.last and s else '') +")
TALK = ("Привет! Как дела?", "Хорошо, а у тебя?", "Тоже.\nЧто «нового»?", "Ничего {{ особенного }}", "Ну и ладно")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """GGUF files by family, written once."""
    root = tmp_path_factory.mktemp("gguf")

    def get(family: str) -> Path:
        out = root / f"{family}.gguf"
        if not out.exists():
            folder = STARTER / "base" if family == "starter" else save_model(family, root / family)
            export_gguf(folder, out, "q8_0", named=family)
        return out

    return get


def parts(text: str, name: str) -> list[str]:
    """The values of one instruction, read as Ollama's parser does: between triple quotes, or to the line's end."""
    found = re.findall(rf'^{name} (?:"""(.*?)"""|([^\n]*))$', text, re.MULTILINE | re.DOTALL)
    return [quoted or plain for quoted, plain in found]


def turns(texts: Sequence[str]) -> tuple[Turn, ...]:
    return tuple(Turn(role="assistant" if at % 2 else "user", text=text) for at, text in enumerate(texts))


def as_ollama(template: str, texts: Sequence[str], system: str) -> str:
    messages = [{"role": turn.role, "content": turn.text} for turn in turns(texts)]
    return execute(template, collate([{"role": "system", "content": system}] * bool(system) + messages))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_format_renders_as_in_service(family: str, files: Any, presets: Presets) -> None:
    text = modelfile(read(files(family)), presets, None)
    (template,) = parts(text, "TEMPLATE")
    own = tokenizer(family)
    begin = own.bos_token if own.bos_token and family != "qwen2" else ""
    for length in (1, 3, 5):
        for system in ("", "Отвечай кратко."):
            served = render_plain(own, turns(TALK[:length]), system)
            assert begin + as_ollama(template, TALK[:length], system) == served


def test_starter_answers_in_the_mood_that_was_chosen(files: Any, presets: Presets) -> None:
    """As in service with a reader that says nothing: no other runtime has ours."""
    packed, own = read(files("starter")), AutoTokenizer.from_pretrained(STARTER / "base")
    mood = Mood(presets.get("anger"), 3)
    text = modelfile(packed, presets, mood)
    (template,), (system,) = parts(text, "TEMPLATE"), parts(text, "SYSTEM")
    assert system == presets.system_text(mood.preset, 3)
    for length in (1, 3):
        served = render(own, Prompt(turns(TALK[:length]), mood.preset, 3), presets, hints={})
        assert served.endswith("<|anger|><|3|>")
        assert as_ollama(template, TALK[:length], system) == served
        assert as_ollama(template, TALK[:length], "") == served


def test_ordinary_model_gets_the_moods_system_text(files: Any, presets: Presets) -> None:
    mood = Mood(presets.get("joy"), 1)
    text = modelfile(read(files("qwen2")), presets, mood)
    (template,), (system,) = parts(text, "TEMPLATE"), parts(text, "SYSTEM")
    served = render(tokenizer("qwen2"), Prompt(turns(TALK[:3]), mood.preset, 1), presets)
    assert as_ollama(template, TALK[:3], system) == served


def test_model_without_a_template_talks_in_ours_and_stops(tmp_path: Path, presets: Presets) -> None:
    folder = save_model("llama2", tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    export_gguf(folder, tmp_path / "model.gguf", "q8_0", named="x")
    text = modelfile(read(tmp_path / "model.gguf"), presets, None)
    own = AutoTokenizer.from_pretrained(folder)
    for system in ("", "Отвечай кратко."):
        served = render_plain(own, turns(TALK[:3]), system)
        assert as_ollama(parts(text, "TEMPLATE")[0], TALK[:3], system) == served
    assert parts(text, "PARAMETER stop") == ["</s>", "\nЧеловек:", "\nСобеседник:"]


@pytest.mark.parametrize("template", [LLAMA3, CHATML, MISTRAL, NEWEST])
def test_wrappers_give_any_dialogue(template: str) -> None:
    own = tokenizer("llama3")
    before, own.chat_template = own.chat_template, template
    try:
        found = wrapping_of(own, {}, plain_renderer(own))
        go = go_template(found)
        for length in (1, 3, 5):
            for system in ("", "Отвечай кратко."):
                served = render_plain(own, turns(TALK[:length]), system)
                assert found.render(TALK[:length], system) == served
                assert as_ollama(go, TALK[:length], system) == served
    finally:
        own.chat_template = before


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ loop.index }}. {{ m.content }}\n{% endfor %}",
        "{% for m in messages %}{{ m.content | upper }}\n{% endfor %}",
        "{% for m in messages[-2:] %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
        "{{ raise_exception('tools are needed') }}",
    ],
)
def test_templates_that_wrappers_do_not_explain_are_refused(template: str) -> None:
    own = tokenizer("llama3")
    before, own.chat_template = own.chat_template, template
    try:
        with pytest.raises(Unsupported, match="--template"):
            wrapping_of(own, {}, plain_renderer(own))
    finally:
        own.chat_template = before


def test_braces_of_a_template_stay_text() -> None:
    found = Wrapping("{{ начало }} ", "{{ начало }} ", "\n", "", "\n", "=>")
    assert as_ollama(go_template(found), TALK[:1], "") == found.render(TALK[:1])


def test_folder_is_complete(tmp_path: Path, files: Any, presets: Presets) -> None:
    out = export(files("qwen2"), tmp_path / "out", presets)
    assert (out / "model.gguf").read_bytes() == files("qwen2").read_bytes()
    text = (out / "Modelfile").read_text()
    assert text.startswith("FROM ./model.gguf\n")
    assert parts(text, "PARAMETER stop") == ["<|endoftext|>", "<|im_end|>"]
    assert parts(text, "PARAMETER num_ctx") == ["256"]


def test_command_makes_it_from_model_and_adapter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = ["--model", str(STARTER / "base"), "--adapter", str(STARTER / "adapter")]
    assert main(["ollama", *source, "--out", str(tmp_path / "out"), "--emotion", "радость"]) == 0
    assert "ollama create" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Modelfile", "model.gguf"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    text = (tmp_path / "out" / "Modelfile").read_text()
    own = json.loads((STARTER / "base" / "generation_config.json").read_text())
    assert parts(text, "PARAMETER temperature") == [str(own["temperature"])]
    assert parts(text, "PARAMETER top_p") == [str(own["top_p"])]
    assert "<|joy|><|2|>" in parts(text, "TEMPLATE")[0]


def test_own_template_is_taken_as_it_is(tmp_path: Path, files: Any) -> None:
    (tmp_path / "mine").write_text("{{ .Prompt }}\n")
    arguments = ["ollama", "--gguf", str(files("llama3")), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--template", str(tmp_path / "mine")]) == 0
    assert parts((tmp_path / "out" / "Modelfile").read_text(), "TEMPLATE") == ["{{ .Prompt }}\n"]


def test_wrong_names_are_explained(tmp_path: Path, files: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["ollama", "--gguf", str(files("llama3")), *out, "--emotion", "скука"]) == 2
    assert "sadness" in capsys.readouterr().err
    assert main(["ollama", "--gguf", str(files("llama3")), *out, "--emotion", "авто"]) == 2
    assert main(["ollama", "--model", str(STARTER / "base"), *out, "--type", "q9"]) == 2
    assert "q8_0" in capsys.readouterr().err
    (tmp_path / "text.gguf").write_text("no model at all")
    with pytest.raises(SourceUnusable, match="no readable GGUF"):
        read(tmp_path / "text.gguf")
    assert not (tmp_path / "out").exists()
