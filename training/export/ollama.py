"""`otklik export ollama`: a folder with a GGUF file and a Modelfile that renders dialogues as serving does.

Everything is read from the GGUF file itself: template, end tokens, sampling, context. Ollama joins neighbouring
messages of one role and hands over their texts untrimmed; in all else the Go template gives the same text.
Knows nothing of transformers' weights.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.engines.prompts import FALLBACK_STOPS
from models.prompt import FALLBACK_TEMPLATE, Prompt, messages, render
from storage.contracts import Turn
from storage.presets import Preset, Presets
from training.export.errors import SourceUnusable, Unsupported
from training.export.places import new_folder
from training.export.wrapping import Wrapping, plain_renderer, wrapping_of

MODEL = "model.gguf"
MODELFILE = "Modelfile"
# More context takes more memory from the first message on; PARAMETER num_ctx can be raised by hand.
CONTEXT = 8192
# Ours → Ollama's name.
SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repetition_penalty": "repeat_penalty",
    "max_new_tokens": "num_predict",
}


@dataclass(frozen=True)
class Packed:
    """What a GGUF file says of talking with its model. `ends`: texts of the tokens that end an answer."""

    tokenizer: Any
    begins: bool
    ends: tuple[str, ...]
    sampling: Mapping[str, float]
    context: int
    licence: str | None


@dataclass(frozen=True)
class Mood:
    """The preset that the exported model always answers in."""

    preset: Preset
    intensity: int


def mood_of(presets: Presets, emotion: str | None, intensity: int | None) -> Mood | None:
    """The preset that an operator names by id or title; SourceUnusable if there is none such."""
    if emotion is None:
        return None
    found = presets.find(emotion)
    if not isinstance(found, Preset):
        names = ", ".join(preset.id for preset in presets.presets)
        raise SourceUnusable(f"there is no preset {emotion!r} that an exported model could keep to; there are {names}")
    return Mood(found, intensity or found.intensity)


def export(
    gguf: Path,
    out: Path,
    presets: Presets,
    *,
    mood: Mood | None = None,
    template: str | None = None,
    force: bool = False,
) -> Path:
    """Write the folder `out`, which it returns. `template`: a Go template to use instead of the model's own.

    Unsupported if the model's template has no sure counterpart.
    """
    packed = read(gguf)
    text = modelfile(packed, presets, mood, template)
    with new_folder(out, gguf.stat().st_size, force) as fresh:
        _place(gguf, fresh / MODEL)
        (fresh / MODELFILE).write_text(text, encoding="utf-8")
    return out


def read(gguf: Path) -> Packed:
    """The talking part of a GGUF file; SourceUnusable if it is none or holds no chat template."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(gguf)
    except (OSError, ValueError) as error:
        raise SourceUnusable(f"{gguf} is no readable GGUF file ({error})") from None

    def value(key: str, otherwise: Any = None) -> Any:
        field = reader.fields.get(key)
        return otherwise if field is None else field.contents()

    pieces = value("tokenizer.ggml.tokens", [])
    template = value("tokenizer.chat_template")
    if not template or not pieces:
        raise SourceUnusable(f"{gguf} holds no chat template: write it with `otklik export gguf`, or give --model")
    special = {
        name: pieces[at]
        for name in ("bos", "eos", "eot", "eom")
        if (at := value(f"tokenizer.ggml.{name}_token_id")) is not None
    }
    sampling = {
        name: value(f"general.sampling.{short}")
        for name, short in (("temperature", "temp"), ("top_p", "top_p"), ("top_k", "top_k"))
    }
    return Packed(
        tokenizer=_renderer(template, special),
        begins=bool(value("tokenizer.ggml.add_bos_token", False)),
        ends=tuple(dict.fromkeys(special[name] for name in ("eos", "eot", "eom") if name in special)),
        sampling={name: number for name, number in sampling.items() if number is not None},
        context=int(value(f"{value('general.architecture')}.context_length", CONTEXT)),
        licence=value("general.license"),
    )


def modelfile(packed: Packed, presets: Presets, mood: Mood | None, template: str | None = None) -> str:
    """The Modelfile's text: template, system text of the mood, stops, sampling."""
    template = go_template(_wrapping(packed, presets, mood)) if template is None else template
    stops = packed.ends + (FALLBACK_STOPS if packed.tokenizer.chat_template == FALLBACK_TEMPLATE else ())
    sampling = {**packed.sampling, **(mood.preset.sampling if mood else {})}
    lines = [f"FROM ./{MODEL}", f"TEMPLATE {_quoted(template)}"]
    if mood:
        system = messages(Prompt((), mood.preset, mood.intensity), presets)[0]["content"]
        lines.append(f"SYSTEM {_quoted(system)}")
    lines += [f"PARAMETER stop {_quoted(stop)}" for stop in stops]
    lines += [f"PARAMETER {SAMPLING[name]} {number:.6g}" for name, number in sampling.items() if name in SAMPLING]
    lines.append(f"PARAMETER num_ctx {min(packed.context, CONTEXT)}")
    if packed.licence:
        lines.append(f"LICENSE {_quoted(packed.licence)}")
    return "\n".join(lines) + "\n"


def go_template(wrapping: Wrapping) -> str:
    """The wrappers in Go's text/template as Ollama runs it: `.System`, `.Messages` with `.Role` and `.Content`.

    Every literal stands as it is, without trimming marks, so that no space is lost.
    """
    names = ("opening", "again", "asked", "answering", "answered", "answer", "head", "neck")
    parts = {name: getattr(wrapping, name) for name in names}
    # With a system message in front the person's first words stand at 1, else at 0; later ones beyond.
    later = "{{ if gt $i 1 }}%s{{ end }}"
    if _each_alike(wrapping):
        later = "%s"
        for name in ("opening", "neck"):
            parts[name] = parts[name].removesuffix(wrapping.again)
    parts = {name: _literal(text) for name, text in parts.items()}
    start, newest = parts["opening"], ""
    if wrapping.place == "first":
        start = f"{{{{ if .System }}}}{parts['head']}{{{{ .System }}}}{parts['neck']}{{{{ else }}}}{start}{{{{ end }}}}"
    elif wrapping.place == "last":
        last = "{{ if and $.System (eq (len (slice $.Messages $i)) 1) }}"
        newest = f"{last}{parts['head']}{{{{ $.System }}}}{parts['neck']}{{{{ end }}}}"
    return (
        f'{start}{{{{ range $i, $m := .Messages }}}}{{{{ if eq $m.Role "user" }}}}{later % parts["again"]}{newest}'
        f'{{{{ $m.Content }}}}{parts["asked"]}{{{{ else if eq $m.Role "assistant" }}}}{parts["answering"]}'
        f"{{{{ $m.Content }}}}{parts['answered']}{{{{ end }}}}{{{{ end }}}}{parts['answer']}"
    )


def _each_alike(wrapping: Wrapping) -> bool:
    """Whether the person's first words have the same before them as later ones, besides what opens the dialogue."""
    first = wrapping.place == "first"
    return wrapping.opening.endswith(wrapping.again) and (not first or wrapping.neck.endswith(wrapping.again))


def _wrapping(packed: Packed, presets: Presets, mood: Mood | None) -> Wrapping:
    if mood is None:
        found = wrapping_of(packed.tokenizer, {}, plain_renderer(packed.tokenizer))
    else:
        found = _in_mood(packed.tokenizer, presets, mood)
    if packed.begins and (begin := packed.tokenizer.bos_token):
        # Ollama sets the beginning token itself, as the file tells it to.
        head = found.head.removeprefix(begin) if found.place == "first" else found.head
        found = replace(found, opening=found.opening.removeprefix(begin), head=head)
    return found


def _in_mood(tokenizer: Any, presets: Presets, mood: Mood) -> Wrapping:
    """The wrappers with the values that serving hands to the template for this preset."""
    values = {"emotion": mood.preset.title, "intensity": mood.intensity, "persona": ""}

    def rendered(turns: Sequence[Turn], system: str) -> str:
        if not system:  # serving always has one in a preset; someone who clears it must still get a sound dialogue
            talk = [{"role": turn.role, "content": turn.text} for turn in turns]
            template = tokenizer.chat_template
            return str(
                tokenizer.apply_chat_template(
                    talk, chat_template=template, tokenize=False, add_generation_prompt=True, **values
                )
            )
        preset = mood.preset.model_copy(update={"system": system})
        return render(tokenizer, Prompt(tuple(turns), preset, mood.intensity), presets)

    return wrapping_of(tokenizer, values, rendered)


def _renderer(template: str, special: Mapping[str, str]) -> Any:
    """A tokenizer that knows a chat template and the special tokens in it, and no other words."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {piece: at for at, piece in enumerate(dict.fromkeys(special.values()))}
    named = {f"{name}_token": special[name] for name in ("bos", "eos") if name in special}
    kind: Any = PreTrainedTokenizerFast
    made = kind(tokenizer_object=Tokenizer(models.WordLevel(words)), **named)
    made.chat_template = template
    return made


def _place(source: Path, target: Path) -> None:
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)


def _literal(text: str) -> str:
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    if '"""' in text:
        raise Unsupported('a Modelfile cannot hold three quotation marks in a row: take """ out of the text')
    return f'"""{text}"""'
