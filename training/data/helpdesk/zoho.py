"""Zoho Desk, API v1, as its OpenAPI description (github.com/zoho/zohodesk-oas) and desk.zoho.com/DeskAPIDocument tell.

| request (GET, header `orgId`) | parameters used | fields used |
| --- | --- | --- |
| /articles | from (1…), limit (≤ 50), status=Published, sortBy=createdTime | id, createdTime, modifiedTime |
| /articles/{id} | | title, answer, locale, status, category.name, latestVersionStatus, \
availableLocaleTranslations[].locale |
| /articles/{id}/translations/{locale} | version=published | the same |
| /tickets | from (0…), limit (≤ 100), sortBy=createdTime, departmentId | id, createdTime |
| /tickets/{id} | include=contacts | subject, description, status, statusType, category, createdTime, isSpam, \
contactId, contact.firstName/lastName |
| /tickets/{id}/threads | from, limit, sortBy=sendDateTime | id, visibility, status |
| /tickets/{id}/threads/{id} | | direction, content, isContentTruncated, createdTime, author.firstName/lastName/name |
| /tickets/{id}/threads/{id}/fullContent | | content |

A ticket is solved if its `statusType` is Closed, unless the operator counts its status as unsolved. The description has
no endpoint with the happiness rating of one ticket (only counts for a contact or an account), so none is used.
Comments are internal notes of agents and are not read.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from training.data.helpdesk.desk import Article, Batch, Message, Position, Ticket
from training.data.helpdesk.errors import OddAnswer
from training.data.helpdesk.settings import HelpdeskSettings
from training.data.helpdesk.texts import letter, plain
from training.data.helpdesk.transport import Api, Params
from training.data.helpdesk.zoho_shapes import ArticleDetail, Entry, Thread, ThreadEntry, TicketDetail, read, records

ARTICLES_PAGE, TICKETS_PAGE, THREADS_PAGE = 50, 100, 100
Item = TypeVar("Item", Article, Ticket)


class ZohoDesk:
    """Published articles and tickets of one Zoho Desk. `since`: ISO time; older records are left out."""

    name = "zoho"

    def __init__(self, api: Api, settings: HelpdeskSettings, since: str = "") -> None:
        self._api, self._settings, self._since = api, settings, since

    def articles(self, position: Position) -> Iterator[Batch[Article]]:
        """Published articles in the settings' language, those changed since `since`."""

        def too_old(entry: Entry) -> bool:
            return (entry.modifiedTime or entry.createdTime) < self._since

        yield from _batches(self.article_list(), position, too_old, self.article)

    def tickets(self, position: Position) -> Iterator[Batch[Ticket]]:
        """Tickets that came in since `since`, with their public messages."""
        yield from _batches(self.ticket_list(), position, lambda entry: entry.createdTime < self._since, self.ticket)

    def article_list(self) -> Listing:
        """The listing of published articles."""
        parameters: Params = {"status": "Published", "sortBy": "createdTime", "limit": ARTICLES_PAGE}
        return Listing(self._api, "/articles", parameters, first=1)

    def ticket_list(self) -> Listing:
        """The listing of the department's tickets, or of all."""
        parameters: dict[str, str | int] = {"sortBy": "createdTime", "limit": TICKETS_PAGE}
        if self._settings.department:
            parameters["departmentId"] = self._settings.department
        return Listing(self._api, "/tickets", parameters, first=0)

    def article(self, id: str) -> Article | str:
        """One article in the settings' language, or why there is none."""
        detail = self._read(ArticleDetail, f"/articles/{id}")
        edited = detail and detail.latestVersionStatus not in (None, "", "Published")
        if detail and (edited or not _same_language(detail.locale, self._settings.locale)):
            names = [one.locale for one in detail.availableLocaleTranslations]
            name = next((name for name in names if _same_language(name, self._settings.locale)), None)
            if name is None:
                return "other language"
            detail = self._read(ArticleDetail, f"/articles/{id}/translations/{name}", {"version": "published"})
        if detail is None:
            return "gone"
        if detail.status and detail.status != "Published":
            return "not published"
        body = plain(detail.answer or "")
        category = detail.category.name if detail.category and detail.category.name else ""
        if not body:
            return "without text"
        return Article(
            id=id, locale=detail.locale, title=plain(detail.title), category=category, body=body,
            modified=detail.modifiedTime or "",
        )  # fmt: skip

    def ticket(self, id: str) -> Ticket | str:
        """One ticket with its public messages, oldest first, or why there is none."""
        detail = self._read(TicketDetail, f"/tickets/{id}", {"include": "contacts"})
        if detail is None:
            return "gone"
        if detail.isSpam:
            return "spam"
        threads = list(self._threads(id))
        messages = [message for thread in threads if (message := _message(thread)) is not None]
        if not any(message.role == "customer" for message in messages) and detail.description:
            text = letter(detail.description)
            messages[:0] = [Message(role="customer", time=detail.createdTime, text=text)] if text else []
        closed = (detail.statusType or "").casefold() == "closed"
        return Ticket(
            id=id,
            subject=plain(detail.subject or ""),
            category=detail.category or "",
            status=detail.status or "",
            solved=(detail.status or "").casefold() not in self._settings.unsolved() if closed else None,
            created=detail.createdTime,
            messages=tuple(messages),
            person=self._person(detail.contactId),
            people=_people(detail, threads),
        )

    def _person(self, contact: str | None) -> str:
        """The same customer of the same desk is the same hash; their id in the desk cannot be read from it."""
        key = self._settings.client_secret.get_secret_value().encode()[:64]
        return hashlib.blake2b((contact or "").encode(), digest_size=8, key=key).hexdigest() if contact else ""

    def _threads(self, id: str) -> Iterator[Thread]:
        """Whole threads of a ticket that customer and agent both see, oldest first."""
        parameters: Params = {"sortBy": "sendDateTime", "limit": THREADS_PAGE}
        listing = Listing(self._api, f"/tickets/{id}/threads", parameters, first=0)
        start = 0
        while page := listing.page(start, ThreadEntry):
            start += len(page)
            for entry in page:
                if entry.visibility != "private" and (entry.status or "SUCCESS") == "SUCCESS":
                    where = f"/tickets/{id}/threads/{entry.id}"
                    if thread := self._read(Thread, where):
                        full = self._read(Thread, f"{where}/fullContent") if thread.isContentTruncated else None
                        yield thread.model_copy(update={"content": full.content}) if full else thread
            if len(page) < THREADS_PAGE:
                return

    def _read(self, shape: Any, path: str, parameters: Params | None = None) -> Any:
        content = self._api.get(path, parameters)
        return None if content is None else read(shape, content, path)


class Listing:
    """Pages of one listing. `first`: how the API counts, from 0 or from 1."""

    def __init__(self, api: Api, path: str, parameters: Params, first: int) -> None:
        self._api, self._path, self._parameters, self._first = api, path, parameters, first
        self.limit = int(parameters["limit"])

    def page(self, start: int, shape: Any = Entry) -> list[Any]:
        """Records from `start` (counted from 0) on; empty past the end."""
        content = self._api.get(self._path, {**self._parameters, "from": start + self._first})
        return [] if content is None else records(shape, content, self._path)

    def after(self, position: Position) -> tuple[int, list[Entry]]:
        """A page that begins behind `position`, and its start.

        A record deleted since moves all later ones towards the start, so the page begins with a record that is done;
        if it does not, the page before is asked for.
        """
        start = max(0, position.start - 1)
        while True:
            page = self.page(start)
            if any(one.createdTime > next_.createdTime for one, next_ in itertools.pairwise(page)):
                raise OddAnswer(f"{self._path}: the listing is not sorted by createdTime, so none could be resumed")
            if start == 0 or (page and behind(page[0], position)):
                return start, page
            start = max(0, start - self.limit + 1)


def _batches(
    listing: Listing, position: Position, too_old: Callable[[Entry], bool], fetch: Callable[[str], Item | str]
) -> Iterator[Batch[Item]]:
    """The listing's records after `position`, page by page."""
    last = False
    while not last:
        start, page = listing.after(position)
        items: list[Item] = []
        left_out: Counter[str] = Counter()
        for entry in page:
            if behind(entry, position):
                continue
            found = "older" if too_old(entry) else fetch(entry.id)
            if isinstance(found, str):
                left_out[found] += 1
            else:
                items.append(found)
            position = passed(entry, position)
        position = position.model_copy(update={"start": start + len(page)})
        last = len(page) < listing.limit
        yield Batch(items=tuple(items), left_out=dict(left_out), position=position, last=last)


def behind(entry: Entry, position: Position) -> bool:
    """Whether a listing that has come to `position` has passed a record already."""
    return entry.createdTime < position.time or (entry.createdTime == position.time and entry.id in position.ids)


def passed(entry: Entry, position: Position) -> Position:
    """The position after a record."""
    same = position.ids if entry.createdTime == position.time else ()
    return Position(start=position.start, time=entry.createdTime, ids=(*same, entry.id))


def _same_language(one: str, other: str) -> bool:
    return one.lower().replace("_", "-").split("-")[0] == other.lower().replace("_", "-").split("-")[0]


def _message(thread: Thread) -> Message | None:
    text = letter(thread.content or "")
    if not text or thread.direction not in ("in", "out"):
        return None
    return Message(role="customer" if thread.direction == "in" else "agent", time=thread.createdTime or "", text=text)


def _people(detail: TicketDetail, threads: list[Thread]) -> tuple[str, ...]:
    """Names in the heads of a ticket and its threads."""
    people = [detail.contact, *(thread.author for thread in threads)]
    found = {name for one in people if one for name in (one.firstName, one.lastName, one.name) if name}
    return tuple(sorted(found))
