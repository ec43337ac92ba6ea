"""`exact_duplicates`: the first row of each text stays. Remembers eight bytes a row, whatever a row's length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from training.data.rows import Dialogue, Feedback, Row
from training.data.steps.keys import KeySet, key
from training.data.steps.part import Context, Counts, Part, each
from training.data.steps.texts import Which, fold, words


class ExactDuplicates(Part):
    """Drops a row whose texts, emotion and judgement were there before; the first one stays."""

    step: Literal["exact_duplicates"] = "exact_duplicates"
    of: Which = Field(default="all", description="`prompt` keeps one row a prompt, `answer` one a text of the bot.")
    fold: bool = Field(default=True, description="Case, ё, punctuation and spaces make no difference.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        seen = KeySet()

        def decide(row: Row) -> Row | str:
            return row if seen.add(key(self._identity(row))) else "duplicate"

        return each(rows, counts, decide)

    def _identity(self, row: Row) -> str:
        texts = words(row, self.of)
        parts = [fold(text) for text in texts] if self.fold else texts
        if self.of != "all":
            return "\0".join(parts)
        judged = str(row.desirable) if isinstance(row, Feedback) else ""
        roles = "".join(turn.role[0] for turn in row.turns) if isinstance(row, Dialogue) else ""
        return "\0".join([type(row).__name__, row.system, row.emotion or "", judged, roles, *parts])
