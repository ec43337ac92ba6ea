"""The fields of Zoho Desk's answers that are read; all others are ignored. Named as the API names them."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from training.data.helpdesk.errors import OddAnswer


class Fields(BaseModel):
    """Ids come as text or as numbers; we keep text."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class Entry(Fields):
    """A record of a listing of articles or tickets."""

    id: str
    createdTime: str
    modifiedTime: str | None = None


class Category(Fields):
    name: str | None = None


class Translation(Fields):
    locale: str


class ArticleDetail(Fields):
    """An article or one of its translations."""

    title: str
    answer: str | None = None
    locale: str
    status: str | None = None
    latestVersionStatus: str | None = None
    modifiedTime: str | None = None
    category: Category | None = None
    availableLocaleTranslations: tuple[Translation, ...] = ()


class Person(Fields):
    """A contact, or a thread's author."""

    firstName: str | None = None
    lastName: str | None = None
    name: str | None = None


class TicketDetail(Fields):
    subject: str | None = None
    description: str | None = None
    status: str | None = None
    statusType: str | None = None
    category: str | None = None
    createdTime: str = ""
    contactId: str | None = None
    isSpam: bool | None = None
    contact: Person | None = None


class ThreadEntry(Fields):
    id: str
    visibility: str | None = None
    status: str | None = None


class Thread(Fields):
    """A letter or a chat message; its content is HTML or plain text."""

    direction: str | None = None
    createdTime: str | None = None
    content: str | None = None
    isContentTruncated: bool | None = None
    author: Person | None = None


Shape = TypeVar("Shape", bound=Fields)


def read(shape: type[Shape], content: Any, path: str) -> Shape:
    """An answer's fields; OddAnswer names those that are not as documented, without their values."""
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        wrong = ", ".join(sorted({".".join(map(str, one["loc"])) for one in error.errors(include_input=False)}))
        raise OddAnswer(f"{path}: Zoho Desk's answer is not as documented: {wrong}") from None


def records(shape: type[Shape], content: Any, path: str) -> list[Shape]:
    """The records under `data` of a listing."""
    if not isinstance(content.get("data"), list):
        raise OddAnswer(f"{path}: Zoho Desk's answer has no list `data`")
    return [read(shape, one, path) for one in content["data"]]
