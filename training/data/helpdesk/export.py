"""A desk's records into files, page by page, so that a killed export goes on where its last whole page ended.

Knows desks through `HelpDesk` and files through names; nothing of HTTP. In the folder:
`articles.jsonl`, `articles.txt`, `tickets.jsonl`, `tickets.txt` for the readers, `raw/….jsonl` with all that was
exported (open and unanswered tickets too, every message), `export.json` with counts.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from training.data.helpdesk.cursor import Cursor, Progress
from training.data.helpdesk.desk import Article, Batch, HelpDesk, Ticket
from training.data.helpdesk.forms import article_fields, section, ticket_fields
from training.data.helpdesk.texts import Scrubber

ARTICLE_KEYS = ("title", "category", "body")
TICKET_KEYS = ("subject", "question", "answer", "solved")
FILES = {kind: (f"{kind}.jsonl", f"{kind}.txt", f"raw/{kind}.jsonl") for kind in ("articles", "tickets")}
Seen = Callable[[str, Progress], None]


def export(desk: HelpDesk, folder: Path, cursor: Cursor, scrub: Scrubber, seen: Seen = lambda *_: None) -> Cursor:
    """Write what the cursor has not passed yet; `seen(kind, progress)` hears of every page. Returns the last cursor."""
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    cursor.save(folder)
    for kind, progress in cursor.listings.items():
        if progress.done:
            continue
        truncate(folder, kind, progress)
        for batch in _listed(desk, kind, progress):
            _write(folder, kind, progress, batch, scrub)
            cursor.save(folder)
            seen(kind, progress)
    return cursor


def truncate(folder: Path, kind: str, progress: Progress) -> None:
    """Cut off what was written after the last page that counts."""
    for name in FILES[kind]:
        with (folder / name).open("ab") as file:
            file.truncate(progress.sizes.get(name, 0))


def _listed(desk: HelpDesk, kind: str, progress: Progress) -> Iterator[Batch[Article] | Batch[Ticket]]:
    yield from desk.articles(progress.position) if kind == "articles" else desk.tickets(progress.position)


def _write(folder: Path, kind: str, progress: Progress, batch: Batch[Article] | Batch[Ticket], scrub: Scrubber) -> None:
    """Append a page to its files and move the progress on; the cursor is saved by the caller, after the files."""
    counts = Counter(progress.counts)
    counts.update({f"left out: {reason}": number for reason, number in batch.left_out.items()})
    ready, sections, raw = "", "", ""
    for item in batch.items:
        clean = scrubbed(item, scrub)
        raw += _line(clean.model_dump(mode="json", exclude={"people"}))
        fields = article_fields(clean) if isinstance(clean, Article) else ticket_fields(clean)
        counts[kind] += 1
        if isinstance(fields, str):
            counts[f"only in raw: {fields}"] += 1
            continue
        ready += _line({**fields, "id": clean.id})
        sections += section(fields, ARTICLE_KEYS if isinstance(clean, Article) else TICKET_KEYS)
    progress.sizes = {
        name: _append(folder / name, text) for name, text in zip(FILES[kind], (ready, sections, raw), strict=True)
    }
    progress.counts, progress.position, progress.done = dict(sorted(counts.items())), batch.position, batch.last


def scrubbed(item: Article | Ticket, scrub: Scrubber) -> Article | Ticket:
    """The record with personal data hidden in all that people wrote."""
    if isinstance(item, Article):
        return item.model_copy(update={"title": scrub(item.title, ()), "body": scrub(item.body, ())})
    messages = tuple(message.model_copy(update={"text": scrub(message.text, item.people)}) for message in item.messages)
    return item.model_copy(update={"subject": scrub(item.subject, item.people), "messages": messages})


def _line(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _append(path: Path, text: str) -> int:
    """Append and reach the disk; the file's size in bytes."""
    with path.open("ab") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def summary(cursor: Cursor) -> Iterable[str]:
    """What was exported, a line each."""
    for kind, progress in cursor.listings.items():
        yield f"{kind}: {progress.counts.get(kind, 0)}" + ("" if progress.done else " (not finished)")
        yield from (f"  {name}: {number}" for name, number in progress.counts.items() if name != kind)
