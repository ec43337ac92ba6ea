"""Which models a program may ask for: `otklik`, `base`, and the registry's adapters by id."""

from __future__ import annotations

from bot.api.problems import Problem
from bot.api.shapes import ModelCard
from storage.database import Database
from storage.loop_tables import AdapterRow, SlotRow

OURS = "otklik"
BASE = "base"
BORN = 1_763_000_000
HIDDEN = ("deleted", "rejected")


async def known(database: Database) -> list[ModelCard]:
    """Everything that may be asked for, newest adapters first."""
    async with database.view() as unit:
        rows, slots = await unit.adapters.all(), await unit.slots.all()
    cards = [
        ModelCard(id=OURS, created=BORN, otklik={"what": "what people in Telegram meet", "slots": _slots(list(slots))}),
        ModelCard(id=BASE, created=BORN, otklik={"what": "the base model without an adapter"}),
    ]
    return cards + [_card(row) for row in rows if row.state not in HIDDEN]


async def resolve(database: Database, model: str) -> str:
    """The arm that a model's name means; a Problem as OpenAI has it if there is none."""
    if model in (OURS, BASE):
        return "active" if model == OURS else BASE
    async with database.view() as unit:
        row = await unit.adapters.get(model) if len(model) <= 64 else None
    if row is None or row.state in HIDDEN:
        raise Problem(404, "model_not_found", "there is no such model; see GET /v1/models", field="model")
    return row.adapter_id


def _card(row: AdapterRow) -> ModelCard:
    told = {"method": row.method, "state": row.state, "parent": row.parent, "tainted": row.tainted_at is not None}
    return ModelCard(id=row.adapter_id, created=int(row.created_at.timestamp()), otklik=told)


def _slots(slots: list[SlotRow]) -> dict[str, str | None]:
    return {slot.name: slot.active for slot in slots}
