"""Alembic's entry: runs migrations on the connection that `storage.database.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from storage import api_tables, desk_tables, loop_tables  # noqa: F401  (their rows belong to the same metadata)
from storage.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
