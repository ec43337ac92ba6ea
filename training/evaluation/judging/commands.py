"""`otklik judge`: arguments in, verdicts asked for, tables out. The only place here that knows files and terminals."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training.evaluation.judging import matches, report
from training.evaluation.judging.asking import Judge
from training.evaluation.judging.cache import Cache
from training.evaluation.judging.criteria import SETS, Criteria, find
from training.evaluation.judging.questions import Question, messages
from training.evaluation.judging.running import Answered, Run, Tally, plan
from training.evaluation.judging.settings import JudgeSettings, load
from training.evaluation.people.strengths import Duel, strengths
from training.recipes import RecipeError

CACHE = "verdicts.sqlite3"


def main(argv: list[str]) -> int:
    """Compare systems; 0, or 2 with the reason on stderr."""
    given = parser().parse_args(argv)
    try:
        print(run(given))
    except (RecipeError, FileNotFoundError) as error:
        print(f"otklik judge: {_reason(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"otklik judge: the package {error.name} is missing: pip install -e '.[ml]'", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(
        prog="otklik judge",
        description="compare systems' answers pairwise, by a language model that judges in both orders",
        epilog="The judge is named by TRAINING_JUDGE_URL and TRAINING_JUDGE_MODEL (a folder or hub id without a URL); "
        "verdicts are kept, so that a second run costs nothing.",
    )
    add = made.add_argument
    add("--samples", type=Path, action="append", required=True, metavar="FILE", help="answers; repeat for each system")
    add("--criteria", choices=tuple(SETS), default="general", help="what answers are compared by")
    add("--baseline", metavar="NAME", help="system that the others meet; default: the first one")
    add("--against-references", action="store_true", help="the set's own answers are the baseline")
    add("--every-pair", action="store_true", help="every two systems meet; strengths follow")
    add("--limit", type=_positive, metavar="N", help="only the first N prompts")
    add("--repeats", type=_positive, default=1, metavar="N", help="ask so often, for self-agreement (temperature > 0)")
    add("--repeated", type=_positive, default=50, metavar="N", help="of the first N prompts; the others once")
    add("--seed", type=int, default=0)
    add("--url", help="of the judge's server; default: TRAINING_JUDGE_URL")
    add("--model", help="the judge; default: TRAINING_JUDGE_MODEL")
    add("--again", action="store_true", help="ask anew where no verdict could be read")
    add("--estimate", action="store_true", help="tell how much would be asked and what it would cost; ask nothing")
    add("--cache", type=Path, metavar="FILE", help=f"default: judge/{CACHE} under STORAGE_DIR")
    add("--language", choices=tuple(report.WORDS), default="en", help="of the tables")
    add("--out", type=Path, metavar="FOLDER", help="write report.md, summary.json and verdicts.jsonl too")
    return made


def run(given: argparse.Namespace) -> str:
    """Do what the options say; the text to print."""
    from training.evaluation.samples import read

    systems = matches.by_system(sample for path in given.samples for sample in read(path))
    baseline = given.baseline
    if given.against_references:
        systems, baseline = matches.with_references(systems), matches.REFERENCE
    pairings = matches.pairings(systems, baseline, every=given.every_pair, limit=given.limit)
    criteria = find(given.criteria)
    plans = [plan(pairs, given.seed, given.repeats, given.repeated) for pairs in pairings]
    settings = load(url=given.url, model=given.model)
    if given.repeats > 1 and settings.temperature == 0:
        _note("at temperature 0 a judge repeats itself: set TRAINING_JUDGE_TEMPERATURE for self-agreement")
    if given.estimate:
        return estimate([question for questions in plans for question in questions], criteria, settings)
    answered, tally = _ask(given, plans, criteria, settings)
    sections, summary = summed_up(answered, criteria, given.language, given.seed, every=given.every_pair)
    sections.append(report.bill(tally, settings, given.language))
    if given.out is not None:
        _write(given.out, sections, summary, [one for those in answered for one in those])
    return "\n\n".join(sections)


def _ask(
    given: argparse.Namespace, plans: Sequence[list[Question]], criteria: Criteria, settings: JudgeSettings
) -> tuple[list[list[Answered]], Tally]:
    from storage.settings import StorageSettings

    storage = StorageSettings()
    titles = {preset.id: preset.title for preset in storage.load_presets().presets}
    cache = Cache(given.cache or storage.dir / "judge" / CACHE)
    try:
        with opened(settings) as judge, watched(sum(map(len, plans)), settings) as watch:
            asking = Run(judge, criteria, cache, titles, settings.tries, settings.concurrency, given.again, watch)
            flat, tally = asking.ask(question for questions in plans for question in questions)
    finally:
        cache.close()
    ends = iter(flat)
    return [[next(ends) for _ in questions] for questions in plans], tally


def summed_up(
    answered: Sequence[Sequence[Answered]], criteria: Criteria, language: str, seed: int, *, every: bool
) -> tuple[list[str], list[dict[str, object]]]:
    """Sections of the report and the same as data."""
    from training.evaluation.judging.winning import TOTAL, compared, preferences

    sections, summary, duels = [], [], list[Duel]()
    for those in answered:
        found = compared(those, criteria, seed)
        sections.append(report.markdown(found, criteria, language))
        summary.append(report.plain(found))
        duels += matches.duels(found, preferences(those, criteria), TOTAL)
    if every and len(answered) > 1 and duels:
        sections.append(report.standing(strengths(duels, seed), language))
    return sections, summary


def estimate(questions: Sequence[Question], criteria: Criteria, settings: JudgeSettings) -> str:
    """What asking all would take at most, by the length of the texts; verdicts that are known already not deducted."""
    from models.engines.chat_api import estimate as tokens

    read = sum(tokens(message["content"]) for question in questions for message in messages(question, criteria, {}))
    written = len(questions) * tokens('{"": 0}, ' * len(criteria.items) + "".join(criteria.ids))
    cost = f": about {settings.cost(read, written):.4f} {settings.currency}"
    return (
        f"{len(questions)} questions, about {read:,} tokens to read and {written:,} to write"
        f"{cost if settings.priced else ' (no prices set: TRAINING_JUDGE_PRICE_READ, TRAINING_JUDGE_PRICE_WRITTEN)'}"
    )


@contextmanager
def opened(settings: JudgeSettings) -> Iterator[Judge]:
    """The judge that the settings name, closed at the end; JudgeFailed if it cannot be had."""
    judge: Judge
    if settings.url is not None:
        from training.evaluation.judging.endpoint import EndpointJudge

        judge = EndpointJudge(settings)
    else:
        from training.evaluation.judging.local import load as load_local

        judge = load_local(settings)
    try:
        yield judge
    finally:
        judge.close()


@contextmanager
def watched(total: int, settings: JudgeSettings) -> Iterator[Callable[[Tally], None]]:
    """A progress bar on stderr with tokens, cost and what could not be read."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("judging"), BarColumn(16), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[told]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("judging", total=total, told="")

        def watch(tally: Tally) -> None:
            told = f"known {tally.cached}, unread {tally.unparsable}, {tally.read + tally.written:,} tokens"
            if settings.priced:
                told += f", {settings.cost(tally.read, tally.written):.2f} {settings.currency}"
            bar.update(task, completed=tally.done, told=told)

        yield watch


def _write(out: Path, sections: list[str], summary: list[dict[str, object]], answered: Sequence[Answered]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    (out / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    with (out / "verdicts.jsonl").open("w", encoding="utf-8") as lines:
        for one in answered:
            asked = one.question
            row = {"key": asked.one.key, "seed": asked.one.seed, "one": asked.one.system, "other": asked.other.system}
            row |= {"swapped": asked.swapped, "repeat": asked.repeat, "state": one.given.state, "values": one.values()}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no file {error.filename}"
    return str(error)


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
