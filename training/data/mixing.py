"""Several streams as one: one after another, or interleaved by shares. Pure, knows no rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def in_order(streams: Mapping[str, Iterator[Item]], names: Sequence[str]) -> Iterator[Item]:
    """One stream after another."""
    for name in names:
        yield from streams[name]


def by_shares(streams: Mapping[str, Iterator[Item]], shares: Mapping[str, float]) -> Iterator[Item]:
    """Interleaved so that every beginning of the result holds the shares as nearly as whole rows allow.

    The next item comes from the stream that lacks most; the first stream that runs dry ends the mix, since the
    shares could not be kept after it. Equal lacks: the first named.
    """
    total = sum(shares.values())
    wanted = {name: share / total for name, share in shares.items() if share > 0}
    given = dict.fromkeys(wanted, 0)
    for count in range(1, 1 << 62):
        name = max(wanted, key=lambda one: wanted[one] * count - given[one])
        try:
            item = next(streams[name])
        except StopIteration:
            return
        given[name] += 1
        yield item
