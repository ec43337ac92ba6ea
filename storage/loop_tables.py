"""SQL rows of the loop: adapters, slots, training jobs, and who did what. Columns only, like `storage/tables.py`.

An adapter's files never change; what changes are its state and the slots' pointers, and each change leaves a row in
`slot_changes`. States are small strings, so that a newer release can add one without a migration.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.contracts import now
from storage.tables import Moment, Number, Row


class AdapterRow(Row):
    """An adapter in the registry, named by its content. State: candidate → canary, live, retired; rejected; deleted.

    `base`, `prompt` and `sha256` say what it fits and what its files must be; `location` is the fsspec address of its
    folder; `data` the manifest of the set it learned from; `metrics` what the gate measured; `verdict` its reasons.
    `emptying_at` is set while a deleted one's files are being removed.
    """

    __tablename__ = "adapters"

    adapter_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    location: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    base: Mapped[str] = mapped_column(Text)
    prompt: Mapped[str | None] = mapped_column(String(64), default=None)
    method: Mapped[str] = mapped_column(String(32))
    parent: Mapped[str | None] = mapped_column(String(64), default=None)
    job_id: Mapped[str | None] = mapped_column(String(64), default=None, index=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    state: Mapped[str] = mapped_column(String(16), default="candidate")
    tainted_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    emptying_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class AdapterPersonRow(Row):
    """Whose rows an adapter learned from; removed when the person is forgotten, after the adapter was marked."""

    __tablename__ = "adapter_people"

    adapter_id: Mapped[str] = mapped_column(ForeignKey("adapters.adapter_id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, index=True)


class SlotRow(Row):
    """One pointer: the adapter that answers a preset's requests, or everybody's in the slot `shared`.

    None means what the worker has by itself (the starter's own adapter, or the bare base). `share` of the dialogues
    meets the canary. `revision` rises with every change of any slot.
    """

    __tablename__ = "slots"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    active: Mapped[str | None] = mapped_column(String(64), default=None)
    canary: Mapped[str | None] = mapped_column(String(64), default=None)
    share: Mapped[float] = mapped_column(default=0.0)
    canary_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    canary_job: Mapped[str | None] = mapped_column(String(64), default=None)
    revision: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime] = mapped_column(Moment, default=now)


class SlotChangeRow(Row):
    """What happened to a slot. Action: promote, rollback, release, canary, share, stop. `by`: None is the loop."""

    __tablename__ = "slot_changes"
    __table_args__ = (Index("slot_changes_order", "slot", "id"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    slot: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(16))
    before: Mapped[str | None] = mapped_column(String(64), default=None)
    after: Mapped[str | None] = mapped_column(String(64), default=None)
    share: Mapped[float | None] = mapped_column(default=None)
    by: Mapped[int | None] = mapped_column(BigInteger, default=None)
    reason: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment, default=now)


class JobRow(Row):
    """One refit. `order` is the TrainJob as asked; `trigger` says what asked: schedule, ratings, admin, command.

    `state` is a JobState. `owner` holds the job until `lease_until`; a job whose lease ran out is taken up by another
    trainer, `attempts` counts that. `plan` is what `auto` chose and why; `folder` is the job's place under STORAGE_DIR.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_state", "state", "created_at"),)

    job_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    order: Mapped[dict[str, Any]] = mapped_column("job_order", JSON)
    trigger: Mapped[str] = mapped_column(String(16))
    slot: Mapped[str] = mapped_column(String(32), default="shared")
    state: Mapped[str] = mapped_column(String(16), default="queued")
    method: Mapped[str | None] = mapped_column(String(32), default=None)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    folder: Mapped[str | None] = mapped_column(Text, default=None)
    owner: Mapped[str | None] = mapped_column(String(128), default=None)
    lease_until: Mapped[datetime | None] = mapped_column(Moment, default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    cancel: Mapped[bool] = mapped_column(default=False)
    step: Mapped[int | None] = mapped_column(default=None)
    steps: Mapped[int | None] = mapped_column(default=None)
    loss: Mapped[float | None] = mapped_column(default=None)
    eta_seconds: Mapped[float | None] = mapped_column(default=None)
    adapter_id: Mapped[str | None] = mapped_column(String(64), default=None)
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    error: Mapped[str | None] = mapped_column(Text, default=None)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    started_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    ended_at: Mapped[datetime | None] = mapped_column(Moment, default=None)


class JobChangeRow(Row):
    """Every state that a job was in, in order."""

    __tablename__ = "job_changes"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment, default=now)


class AuditRow(Row):
    """What an admin did, or tried to. Ids and numbers only, nothing of anybody's dialogue."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    user_id: Mapped[int] = mapped_column(BigInteger, index=True)
    action: Mapped[str] = mapped_column(String(32))
    target: Mapped[str] = mapped_column(String(128), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    allowed: Mapped[bool] = mapped_column(default=True)
    at: Mapped[datetime] = mapped_column(Moment, default=now)


class PresetRow(Row):
    """A preset that an admin added or changed in Telegram; it stands over the file's preset of the same id."""

    __tablename__ = "presets"

    preset_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    body: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    enabled: Mapped[bool] = mapped_column(default=True)
    by: Mapped[int | None] = mapped_column(BigInteger, default=None)
    updated_at: Mapped[datetime] = mapped_column(Moment, default=now)
