"""Keys of programs: made, found, revoked. A secret is shown once, where it is made, and never again."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.api_tables import ApiKeyRow
from storage.contracts import now
from storage.repositories.people import People

SCOPES = ("chat", "rate", "admin")
SHAPE = re.compile(r"otk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
# Telegram's ids stay within 52 bits, those of its groups are above −2·10¹²; JSON numbers are exact up to 2⁵³.
FIRST = -(2**52)
SPAN = 2**51
# Compared with where no such key exists, so that the answer takes as long.
NOBODY = hashlib.sha256(b"nobody").hexdigest()
USED_EVERY = timedelta(minutes=1)


class ApiKeys:
    """Rows of `api_keys`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def make(self, name: str, scopes: Sequence[str], *, rate: int = 60, learn: bool = False) -> tuple[str, str]:
        """A new key: its id, and the text to give to the program. ValueError at unknown scopes.

        The key's chat is a person of its own, who agreed to be learned from or did not (`learn`).
        """
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            raise ValueError(f"scopes are {', '.join(SCOPES)}; not: {', '.join(unknown) or 'none at all'}")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = ApiKeyRow(key_id=key_id, name=name, digest=digest(secret), scopes=sorted(set(scopes)), rate=rate)
        row.learn, row.chat_id = learn, FIRST - secrets.randbelow(SPAN)
        self.session.add(row)
        await People(self.session).consent(row.chat_id, learn)
        await self.session.flush()
        return key_id, f"otk_{key_id}_{secret}"

    async def get(self, key_id: str) -> ApiKeyRow | None:
        """A key by its id."""
        return await self.session.get(ApiKeyRow, key_id)

    async def check(self, presented: str) -> ApiKeyRow | None:
        """The key that a text is, if it is one and is not revoked. Compared in constant time."""
        found = SHAPE.fullmatch(presented)
        row = await self.session.get(ApiKeyRow, found[1]) if found else None
        expected = row.digest if row is not None else NOBODY
        same = hmac.compare_digest(digest(found[2] if found else ""), expected)
        return row if same and row is not None and row.revoked_at is None else None

    def stale(self, row: ApiKeyRow) -> bool:
        """Whether it is time to note that a key is in use."""
        return row.used_at is None or now() - row.used_at > USED_EVERY

    async def used(self, key_id: str) -> None:
        """Note that a key is in use."""
        row = await self.session.get(ApiKeyRow, key_id)
        if row is not None:
            row.used_at = now()

    async def revoke(self, key_id: str) -> bool:
        """From now on the key opens nothing; False if there is none, or it was revoked before."""
        row = await self.session.get(ApiKeyRow, key_id)
        if row is None or row.revoked_at is not None:
            return False
        row.revoked_at = now()
        return True

    async def all(self) -> Sequence[ApiKeyRow]:
        """Every key, newest first."""
        return (await self.session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at.desc()))).all()


def digest(secret: str) -> str:
    """What is stored of a secret. It has 256 random bits, so a plain hash cannot be searched; passwords would need
    a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
