"""`otklik knowledge`: articles of a help desk's knowledge base, for operators to attach to questions.

Articles are read as training reads them: `### Title`, `### Category`, `### Body` in text or Word files, or tables and
JSON lines with these columns.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.knowledge.cutting import parts
from storage.database import Database, upgrade
from storage.repositories.articles import NewArticle
from storage.settings import StorageSettings

TITLE = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `otklik knowledge`. 0: done, 1: a file cannot be read (nothing was changed), 2: wrong arguments."""
    parser = argparse.ArgumentParser(prog="otklik knowledge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("import", help="make files' articles findable; a file replaces what it held before")
    reading.add_argument("files", nargs="+", type=Path, metavar="FILE")
    commands.add_parser("list", help="where articles came from, and how many")
    remove = commands.add_parser("remove", help="remove the articles of a file")
    remove.add_argument("source", help="the file's name, as `otklik knowledge list` shows it")
    given = parser.parse_args(argv)
    if given.command != "import":
        return asyncio.run(_list() if given.command == "list" else _remove(given.source))
    try:
        from training.data.reading import ReadError
    except ImportError:
        print(
            "otklik knowledge: reading files needs more parts: pip install -e '.[ml]', or another image",
            file=sys.stderr,
        )
        return 1
    try:
        found = {path.name: articles(path) for path in given.files}
    except ReadError as error:
        print(f"otklik knowledge: {error}", file=sys.stderr)
        return 1
    return asyncio.run(_import(found))


def articles(path: Path) -> list[NewArticle]:
    """The articles of a file, long ones in parts. ReadError names every wrong place."""
    from training.data.reading import Source, open_source
    from training.data.rows import Answer

    rows = open_source(Source(path=path, read="knowledge_base"), StorageSettings().load_presets())
    found: list[NewArticle] = []
    for row in rows:
        if isinstance(row, Answer):
            found += _in_parts(row.prompt[-1].text, row.answer, row.tags.get("category", ""))
    return found


def _in_parts(title: str, text: str, category: str) -> list[NewArticle]:
    pieces = parts(text)
    marks = [f" ({number}/{len(pieces)})" if len(pieces) > 1 else "" for number in range(1, len(pieces) + 1)]
    short = " ".join(title.split())
    return [
        NewArticle(title=short[: TITLE - len(mark)] + mark, text=piece, category=category[:TITLE])
        for mark, piece in zip(marks, pieces, strict=True)
    ]


async def _opened() -> Database:
    settings = StorageSettings()
    await upgrade(settings.database())
    return Database(settings.database())


async def _import(found: dict[str, list[NewArticle]]) -> int:
    database = await _opened()
    try:
        async with database.unit() as unit:
            for name, coming in found.items():
                new, gone = await unit.articles.replace(name[:TITLE], coming)
                print(f"{name}: {len(coming)} articles, {new} new, {gone} removed")
            await unit.commit()
    finally:
        await database.close()
    return 0


async def _list() -> int:
    database = await _opened()
    try:
        async with database.view() as unit:
            sources = await unit.articles.sources()
    finally:
        await database.close()
    if not sources:
        print("there are no articles; import some: otklik knowledge import FILE", file=sys.stderr)
    for source, count in sources.items():
        print(f"{count:>6}  {source}")
    return 0


async def _remove(source: str) -> int:
    database = await _opened()
    try:
        async with database.unit() as unit:
            removed = await unit.articles.remove(source)
            await unit.commit()
    finally:
        await database.close()
    if not removed:
        print(f"otklik knowledge: no articles came from {source!r}; see: otklik knowledge list", file=sys.stderr)
        return 2
    print(f"{removed} articles removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
