"""What operators' buttons carry. Each is bound to the operator for whom it was made; all prefixes begin with «@».

Ids of jobs and adapters may be longer than a button: `ref` stands for them.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from aiogram.filters.callback_data import CallbackData
from pydantic import Field

MARK = "@"

Ref = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
Slot = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,23}$")]
Method = Annotated[str, Field(pattern=r"^[a-z]{2,12}$")]
Share = Annotated[int, Field(ge=0, le=90)]


def ref(long_id: str) -> str:
    """A short name of a job or an adapter, the same every time."""
    return hashlib.blake2b(long_id.encode(), digest_size=4).hexdigest()


class Bound(CallbackData, prefix="@"):
    """A button of one operator."""

    admin: int


class Open(Bound, prefix="@o"):
    """Shows a view; changes nothing."""

    view: Literal["panel", "adapters", "presets", "audit", "retrain"]
    page: Annotated[int, Field(ge=0, le=10_000)] = 0


class Order(Bound, prefix="@r"):
    """A refit that is being ordered, step by step. `nonce`: a confirmation starts one job, however often pressed."""

    step: Literal["slot", "sure", "go"]
    method: Method
    slot: Slot = "shared"
    nonce: Annotated[str, Field(pattern=r"^([0-9a-f]{8})?$")] = ""


class OfJob(Bound, prefix="@j"):
    """Something about a job. `sure`: confirmed. `share` in percent."""

    act: Literal["show", "cancel", "canary", "promote", "reject"]
    job: Ref
    sure: bool = False
    share: Share = 0


class OfAdapter(Bound, prefix="@a"):
    """Something about an adapter and a slot. `adapter`: `none` is what the worker has by itself."""

    act: Literal["card", "slot", "live", "pick", "try", "end", "free"]
    adapter: Annotated[str, Field(pattern=r"^([0-9a-f]{8}|none)$")]
    slot: Slot = "shared"
    sure: bool = False
    share: Share = 0
    revision: Annotated[int, Field(ge=-1)] = -1


class OfPreset(Bound, prefix="@s"):
    """Something about an emotion. `draft`: which preview is meant."""

    act: Literal["card", "off", "on", "edit", "add", "save", "drop", "file", "remove"]
    preset: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,23})?$")] = ""
    sure: bool = False
    draft: Annotated[str, Field(pattern=r"^([0-9a-f]{8})?$")] = ""


class OfReply(Bound, prefix="@w"):
    """Something about an answer."""

    act: Literal["replay", "candidates"]
    request: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,40}$")]
