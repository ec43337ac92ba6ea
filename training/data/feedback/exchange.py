"""A feedback log as JSON lines, one `Entry` a line: written for a replay elsewhere, read with its faults told.

Knows files and the log's shape, no SQL.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import ValidationError

from training.data.feedback.entry import Entry
from training.data.feedback.log import FeedbackLog
from training.data.reading.encodings import require_utf8
from training.recipes import RecipeError

Namer = Callable[[str, str], str]
# Faults that are kept word for word; of a wrong file every line is one.
SHOWN = 1000


def import_log(path: Path, *, work: Path | None = None, emotion: str | None = None) -> FeedbackLog:
    """Read a file of entries. A bad line loses nothing but itself: `faults` of the log tells «line 3, prompt: …».

    RecipeError if there is no good line. Whose words and judgements are in the file must have agreed: only that is
    exported.
    """
    if not path.is_file():
        raise FileNotFoundError(f"feedback: there is no file {path}")
    require_utf8(path)
    with path.open("rb") as lines:
        log = FeedbackLog(work)
        for number, line in enumerate(lines, 1):
            line = line.removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            try:
                entry = Entry.model_validate_json(line)
            except ValidationError as error:
                log.counts["bad_line"] += 1
                log.faults += _faults(number, error)[: SHOWN - len(log.faults)]
                continue
            if emotion in (None, entry.emotion):
                log.add(entry)
    if not len(log):
        log.close()
        why = f"; {log.counts['bad_line']} bad lines, the first: {log.faults[0]}" if log.faults else ""
        raise RecipeError(f"feedback: {path} holds no entry{why}")
    return log


def export_log(entries: Iterable[Entry], path: Path, key: bytes | None = None) -> int:
    """Write entries for a replay: people under other names by `key` (unset: drawn and thrown away), request ids too,
    since they are made of chat and message numbers. How many were written; the file is its owner's alone.
    """
    key = secrets.token_bytes(32) if key is None else hashlib.blake2b(key, digest_size=32).digest()

    def named(kind: str, one: str) -> str:
        return hashlib.blake2b(f"{kind}\0{one}".encode(), key=key, digest_size=8).hexdigest()

    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    count = 0
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        for entry in entries:
            out.write(renamed(entry, named).model_dump_json(exclude_defaults=True).encode() + b"\n")
            count += 1
    fresh.replace(path)
    return count


def renamed(entry: Entry, named: Namer) -> Entry:
    """An entry whose persons and request ids have other names."""

    def of_answer(name: str | None) -> str | None:
        return None if name is None else named("answer", name)

    answers = []
    for answer in entry.answers:
        judgements = tuple(
            one.model_copy(
                update={"person": named("person", one.person), "preferred_over": of_answer(one.preferred_over)}
            )
            for one in answer.judgements
        )
        update = {"request_id": named("answer", answer.request_id), "judgements": judgements}
        answers.append(answer.model_copy(update=update))
    return entry.model_copy(
        update={
            "person": named("person", entry.person),
            "others": tuple(sorted(named("person", one) for one in entry.others)),
            "shown": of_answer(entry.shown),
            "answers": tuple(answers),
        }
    )


def _faults(number: int, error: ValidationError) -> list[str]:
    found = []
    for one in error.errors(include_input=False, include_url=False):
        place = ".".join(map(str, one["loc"])) or "the line"
        found.append(f"line {number}, {place}: {one['msg']}")
    return found
