"""The description and the server agree: generated requests, sensible and senseless, against the running API."""

from __future__ import annotations

import asyncio
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.api.conftest import Desk

EXAMPLES = 12
# A stream ends when the refit does; it is tested by itself.
STREAMS = "/events"


async def test_no_request_breaks_the_description(desk: Desk) -> None:
    key = await desk.make_key("chat", "rate", "admin", rate=100_000)
    faults = await asyncio.to_thread(explore, desk.url, key)
    assert faults == []


def explore(url: str, key: str) -> list[str]:
    """Send generated requests to every operation; what went wrong, a line each."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    faults: list[str] = []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]
        if operation.path.endswith(STREAMS):
            continue

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: Any) -> None:
            headers = {"Authorization": f"Bearer {key}"}
            # What a schema cannot say is refused too: an unknown emotion, a dialogue that ends with the assistant.
            case.call_and_validate(headers=headers, timeout=30, excluded_checks=[positive_data_acceptance])

        try:
            check()
        except FailureGroup as group:
            faults += [f"{operation.label}: {one}" for one in group.exceptions]
    return faults
