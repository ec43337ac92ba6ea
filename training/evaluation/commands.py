"""`otklik evaluate`: arguments in, a folder with samples, figures and tables out. Knows exit codes, no figure."""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.evaluation import inputs
from training.evaluation import systems as asking
from training.evaluation.metrics.column import Options
from training.evaluation.metrics.registry import METRICS, find
from training.recipes import RecipeError

if TYPE_CHECKING:
    from models.classifier import Classifier
    from storage.presets import Presets
    from training.evaluation.evaluating import Found
    from training.evaluation.gate import Opinion
    from training.evaluation.samples import Sample

NONE = "none"


def main(argv: list[str]) -> int:
    """`otklik evaluate --system NAME=BASE[+ADAPTER] … --data SET --out FOLDER`: 0, or 2 with a reason."""
    given = _parser().parse_args(argv)
    from models.errors import ModelsError
    from models.logs import log_to_stderr

    log_to_stderr()
    try:
        _run(given)
    except (RecipeError, ModelsError, FileNotFoundError) as error:
        print(f"otklik evaluate: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"the disk of {given.out} is full: free some space; the same command goes on", file=sys.stderr)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {name:<14} {metric.about}" for name, metric in METRICS.items())
    parser = argparse.ArgumentParser(
        prog="otklik evaluate",
        description="Compare models and adapters on a frozen set. The others are compared with the first system.",
        epilog=f"metrics:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--system", action="append", default=[], metavar="NAME=BASE[+ADAPTER]", help="`bundled`: the starter's own")
    add("--samples", action="append", default=[], type=Path, metavar="FILE", help="answers that are there already")
    add(
        "--data", help="prepared set's folder, data recipe (.yaml), or `seed`: the bundled corpus; its held-out answers"
    )
    add("--out", type=Path, required=True, help="folder to write; the same command goes on with an interrupted one")
    add("--prompts", type=int, metavar="N", help="no more prompts than this, of every emotion and intensity")
    add("--metrics", default=",".join(METRICS), metavar="A,B", help="default: all of them")
    add("--first", metavar="NAME", help="the system to compare with, if it is not the first one named")
    add("--seed", type=int, default=0)
    add("--candidates", type=int, default=1, help="answers drawn, of which --picker keeps one, as in service")
    add("--most", type=int, default=96, help="new tokens of an answer")
    add("--batch", type=int, default=32, help="answers written at once")
    add("--greedy", action="store_true", help="the likeliest token always")
    add("--gate", default="seed", help="independent emotion classifier: folder, hub id, seed, judge:FOLDER, none")
    add("--picker", default="bundled", help="classifier that picks candidates: folder, hub id, bundled, none")
    add("--gate-data", type=Path, help="folder of the public emotion sets: the gate is measured on CEDR and BRIGHTER")
    add("--perplexity", action="store_true", help="how surprised each system is by the set's own answers")
    add("--texts", type=Path, help="plain texts (.txt, .jsonl, .xz …): perplexity on them tells what was forgotten")
    add("--texts-most", type=int, default=300, metavar="N", help="no more texts than this")
    add("--target", type=int, metavar="TOKENS", help="wanted length of answers: columns, lengths.json and lengths.png")
    add("--stem", action="store_true", help="ROUGE over word stems")
    for name in ("bertscore", "bleurt", "acceptability"):
        add(f"--{name}", metavar="WHERE", help=f"{METRICS[name].about}: folder or hub id")
    add("--bertscore-layer", type=int)
    add("--language", choices=("en", "ru"), default="en", help="of the table on the screen; files come in both")
    return parser


def _run(given: argparse.Namespace) -> None:
    from rich.console import Console

    from storage.settings import StorageSettings
    from training.evaluation import evaluating
    from training.quiet import quiet

    quiet()
    settings = StorageSettings()
    presets = settings.load_presets()
    names = [name for name in given.metrics.split(",") if name]
    for name in names:
        find(name)
    chosen = [asking.parse(text) for text in given.system]
    _distinct([one.name for one in chosen])
    picker = _picker(given.picker)
    gate = _gate(given, picker)
    given.out.mkdir(parents=True, exist_ok=True)
    found, surprises = _drawn(given, chosen, presets, picker, settings.dir)
    found = _first({**found, **inputs.ready(given.samples, set(found))}, given.first)
    if not found:
        raise RecipeError("nothing to evaluate: give --system with --data, or --samples")
    with_emotion = gate if any(one.emotion for own in found.values() for one in own) else None
    console = Console(stderr=True)
    result = evaluating.evaluate(
        found,
        names,
        presets,
        options=_options(given),
        gate=with_emotion,
        picker=picker,
        surprises=surprises,
        seed=given.seed,
        show=lambda what: console.print(what),
    )
    shown = _against_target(given, result, found)
    about: dict[str, Any] = {
        "arguments": _arguments(given),
        "prompts": len({one.key for own in found.values() for one in own}),
    }
    about |= {"gate": _measured_gate(with_emotion, given), "picker": picker.id if picker else None}
    evaluating.write(given.out, result, found, about)
    _show(given, result, about["gate"], shown)


def _against_target(given: argparse.Namespace, result: Found, found: dict[str, list[Sample]]) -> list[str]:
    """Lengths against the wanted one, where there is one: files, columns, and lines to show."""
    if given.target is None:
        return []
    from training.evaluation import target

    target.columns(result, found, given.target, given.seed)
    return target.write(given.out, result, found, given.target, given.seed, given.language)


def _show(given: argparse.Namespace, result: Found, gate: dict[str, Any] | None, lengths: Sequence[str]) -> None:
    """The table, warnings, lengths against a target, how far the gate is to be trusted, and where everything is."""
    from rich.console import Console

    from training.evaluation import evaluating, tables

    Console(width=None if sys.stdout.isatty() else 160).print(tables.terminal(result.table, given.language))
    print(evaluating.warnings(result, given.language).strip() or "No alarm, no suspicion.")
    for line in lengths:
        print(line)
    if gate is not None:
        print(evaluating.trust(gate, given.language))
    print(given.out)


def _options(given: argparse.Namespace) -> Options:
    return Options(
        stem=given.stem,
        bertscore=given.bertscore,
        bertscore_layer=given.bertscore_layer,
        bleurt=given.bleurt,
        acceptability=given.acceptability,
    )


def _distinct(names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise RecipeError(f"two systems are called {twice[0]}: give each its own name")


def _picker(where: str) -> Classifier | None:
    if where == NONE:
        return None
    from models.build import build_classifier
    from models.settings import ModelsSettings

    return build_classifier(ModelsSettings(classifier=where, engine="transformers"))


def _gate(given: argparse.Namespace, picker: Classifier | None) -> Opinion | None:
    from training.evaluation import gate

    return None if given.gate == NONE else gate.load(given.gate, picker)


def _measured_gate(gate: Opinion | None, given: argparse.Namespace) -> dict[str, Any] | None:
    """The gate's name, and how often it is right on held-out texts that people labelled."""
    if gate is None:
        return None
    from training.evaluation import gate as gates

    data = given.gate_data
    if data is None and given.gate.startswith(gates.JUDGE):
        data = Path(given.gate.removeprefix(gates.JUDGE))
    measured: dict[str, Any] = {}
    for name, rows in gates.dev_sets(data).items():
        right, scores = gates.accuracy(gate, rows)
        measured[name] = {"right": right.mean, "low": right.low, "high": right.high, "n": right.n, "f1": scores}
    return {"id": gate.id, "accuracy": measured}


def _drawn(
    given: argparse.Namespace,
    chosen: Sequence[asking.System],
    presets: Presets,
    picker: Classifier | None,
    storage: Path,
) -> tuple[dict[str, list[Sample]], asking.Surprises]:
    """Answers and perplexities of the systems that are to be asked."""
    from training.evaluation.answering import Drawing

    if not chosen:
        return {}, {}
    if not given.data:
        raise RecipeError("--system needs --data: a prepared set's folder, a data recipe, or `seed`")
    return asking.gather(
        chosen,
        inputs.asked(given.data, storage, presets, given.seed, given.prompts),
        presets,
        given.out,
        drawing=Drawing(given.seed, given.candidates, given.most, given.greedy, given.batch),
        picker=picker,
        texts=inputs.texts(given.texts, given.texts_most, presets) if given.texts else (),
        references=given.perplexity,
    )


def _first(found: dict[str, list[Sample]], name: str | None) -> dict[str, list[Sample]]:
    if name is None:
        return found
    if name not in found:
        raise RecipeError(f"--first: there is no system {name}, only {', '.join(found)}")
    return {name: found[name], **found}


def _arguments(given: argparse.Namespace) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(json.dumps(vars(given), default=str))
    return {name: value for name, value in raw.items() if name not in ("out", "language", "batch")}
