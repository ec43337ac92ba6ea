"""`otklik keys`: keys for programs that use the HTTP API. A key is shown once, when it is made."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from storage.database import Database, upgrade
from storage.repositories.api_keys import SCOPES
from storage.settings import StorageSettings

# Who acts in the audit: nobody whom Telegram or a key knows.
SERVER = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `otklik keys`. 0: done, 2: there is no such key, or wrong arguments."""
    parser = argparse.ArgumentParser(prog="otklik keys", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make a key and show it, once")
    make.add_argument("name", help="who will use it")
    make.add_argument("--scope", dest="scopes", action="append", choices=SCOPES, help="repeatable; default: chat, rate")
    make.add_argument("--rate", type=int, default=60, help="requests a minute (default: 60)")
    make.add_argument(
        "--learn", action="store_true", help="people behind it agreed that their dialogues teach the model"
    )
    commands.add_parser("list", help="all keys, without their secrets")
    revoke = commands.add_parser("revoke", help="from now on a key opens nothing")
    revoke.add_argument("key_id")
    return asyncio.run(_run(parser.parse_args(argv)))


async def _run(given: argparse.Namespace) -> int:
    settings = StorageSettings()
    await upgrade(settings.database())
    database = Database(settings.database())
    try:
        return await {"make": _make, "list": _list, "revoke": _revoke}[given.command](database, given)
    finally:
        await database.close()


async def _make(database: Database, given: argparse.Namespace) -> int:
    if given.rate < 1:
        print("otklik keys: --rate is requests a minute, at least 1", file=sys.stderr)
        return 2
    scopes = given.scopes or ["chat", "rate"]
    async with database.unit() as unit:
        key_id, text = await unit.api_keys.make(given.name[:64], scopes, rate=given.rate, learn=given.learn)
        unit.audit.write(SERVER, "key_make", key_id, scopes="+".join(sorted(set(scopes))))
        await unit.commit()
    print(text)
    print(f"key {key_id} for {given.name}: keep it now, it is not shown again", file=sys.stderr)
    return 0


async def _list(database: Database, given: argparse.Namespace) -> int:
    async with database.view() as unit:
        rows = await unit.api_keys.all()
    if not rows:
        print("there are no keys; make one: otklik keys make NAME", file=sys.stderr)
    for row in rows:
        state = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else "in use" if row.used_at else "not used yet"
        learn = ", taught from" if row.learn else ""
        print(f"{row.key_id}  {'+'.join(row.scopes):<16} {row.rate:>5}/min  {state:<18} {row.name}{learn}")
    return 0


async def _revoke(database: Database, given: argparse.Namespace) -> int:
    async with database.unit() as unit:
        done = await unit.api_keys.revoke(given.key_id)
        if done:
            unit.audit.write(SERVER, "key_revoke", given.key_id)
        await unit.commit()
    if not done:
        print(f"otklik keys: there is no key {given.key_id} in force; see: otklik keys list", file=sys.stderr)
        return 2
    print(f"key {given.key_id} is revoked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
