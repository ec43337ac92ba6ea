"""`otklik export merge | gguf | ollama | hub`: arguments in, exit codes and one clear message out.

Knows arguments only; each export lives in its own file and is imported when asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training.export.errors import ExportError

BASE_HELP = "folder or hub id of a causal language model in full precision"


def main(argv: list[str]) -> int:
    """Run one export; 0, or 2 with the reason on stderr."""
    if not argv or argv[0] not in TABLE:
        lines = [f"  {name:<7} {what}" for name, (_, what) in TABLE.items()]
        print("\n".join(["usage: otklik export KIND … (each has --help)", "", *lines]), file=sys.stderr)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    run, what = TABLE[argv[0]]
    parser = argparse.ArgumentParser(prog=f"otklik export {argv[0]}", description=what)
    try:
        print(run(parser, argv[1:]))
    except ExportError as error:
        print(f"otklik export {argv[0]}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"otklik export {argv[0]}: the package {error.name} is missing: pip install -e '.[ml]'", file=sys.stderr)
        return 2
    return 0


def _merge(parser: argparse.ArgumentParser, argv: list[str]) -> str:
    parser.add_argument("--base", required=True, metavar="PATH|HUB", help=BASE_HELP)
    parser.add_argument("--adapter", type=Path, required=True, metavar="FOLDER", help="LoRA adapter as PEFT saves it")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--dtype", choices=("bf16", "f16", "f32"), help="of the result; default: as the base is stored")
    parser.add_argument("--revision", help="of a hub id")
    parser.add_argument("--force", action="store_true", help="replace what is at --out")
    given = parser.parse_args(argv)
    from training.export.merge import merge
    from training.export.places import local

    base = local(given.base, given.revision)
    return str(merge(base, given.adapter, given.out, named=given.base, dtype=given.dtype, force=given.force))


def _gguf(parser: argparse.ArgumentParser, argv: list[str]) -> str:
    from training.export.gguf_file import TYPES
    from training.export.quantizing import KINDS

    parser.add_argument("--model", required=True, metavar="PATH|HUB", help=BASE_HELP)
    parser.add_argument("--adapter", type=Path, metavar="FOLDER", help="LoRA adapter to merge on the way")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.gguf")
    parser.add_argument(
        "--type", default="f16", choices=(*TYPES, *KINDS), metavar="TYPE", help=f"{', '.join((*TYPES, *KINDS))}"
    )
    parser.add_argument("--revision", help="of a hub id")
    parser.add_argument("--force", action="store_true", help="replace what is at --out")
    given = parser.parse_args(argv)
    from training.export.gguf_file import export
    from training.export.places import local

    folder = local(given.model, given.revision)
    notes = export(folder, given.out, given.type, named=given.model, adapter=given.adapter, force=given.force)
    _note(notes)
    return str(given.out)


def _ollama(parser: argparse.ArgumentParser, argv: list[str]) -> str:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--gguf", type=Path, metavar="FILE.gguf", help="as `otklik export gguf` writes it")
    source.add_argument("--model", metavar="PATH|HUB", help=f"{BASE_HELP}; written as GGUF first")
    parser.add_argument("--adapter", type=Path, metavar="FOLDER", help="LoRA adapter to merge on the way (--model)")
    parser.add_argument("--type", default="q8_0", help="of the GGUF file (--model), as in `otklik export gguf`")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--emotion", help="preset, by id or title, that the model always answers in")
    parser.add_argument("--intensity", type=int, choices=(1, 2, 3), help="of the emotion; default: the preset's")
    parser.add_argument("--template", type=Path, metavar="FILE", help="Go template to use instead of the model's own")
    parser.add_argument("--revision", help="of a hub id")
    parser.add_argument("--force", action="store_true", help="replace what is at --out")
    given = parser.parse_args(argv)
    if given.gguf and given.adapter:
        parser.error("--adapter goes with --model: a GGUF file is finished")
    from storage.settings import StorageSettings
    from training.export import ollama
    from training.export.places import read_text, require_new

    presets = StorageSettings().load_presets()
    mood = ollama.mood_of(presets, given.emotion, given.intensity)
    template = read_text(given.template) if given.template else None
    require_new(given.out, given.force)
    with _gguf_of(given) as file:
        out = ollama.export(file, given.out, presets, mood=mood, template=template, force=given.force)
    return f"{out}\nnow: ollama create NAME -f {out / ollama.MODELFILE}"


@contextmanager
def _gguf_of(given: argparse.Namespace) -> Iterator[Path]:
    """The file that was named, or one written from the model for as long as it is needed."""
    if given.gguf:
        yield given.gguf
        return
    from training.export.gguf_file import export
    from training.export.places import local

    file = given.out.with_name(f".{given.out.name}.gguf")
    try:
        folder = local(given.model, given.revision)
        _note(export(folder, file, given.type, named=given.model, adapter=given.adapter, force=True))
        yield file
    finally:
        file.unlink(missing_ok=True)


def _hub(parser: argparse.ArgumentParser, argv: list[str]) -> str:
    parser.add_argument("--folder", type=Path, required=True, help="a model's or adapter's folder")
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME", help="created if it does not exist")
    parser.add_argument("--private", action="store_true", help="a new repository is visible to its owner only")
    parser.add_argument("--licence", help="for the model card, such as apache-2.0; default: the base model's")
    parser.epilog = "The token comes from TRAINING_HUB_TOKEN, the hub's address from TRAINING_HUB_URL."
    given = parser.parse_args(argv)
    from training.export.hub import upload
    from training.export.settings import HubSettings

    return upload(given.folder, given.repo, HubSettings(), private=given.private, licence=given.licence)


def _note(notes: Sequence[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


TABLE: dict[str, tuple[Callable[[argparse.ArgumentParser, list[str]], str], str]] = {
    "merge": (_merge, "merge a LoRA adapter into its base"),
    "gguf": (_gguf, "write one file for llama.cpp and Ollama"),
    "ollama": (_ollama, "write a folder that `ollama create` takes"),
    "hub": (_hub, "upload a model's or adapter's folder with a model card"),
}
