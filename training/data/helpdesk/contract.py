"""What the exporter takes for granted of Zoho Desk's API, asked of a server: the real one, or the one of the tests.

`otklik data helpdesk zoho --check` runs it; it reads one page of each listing and one record, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from training.data.helpdesk.errors import OddAnswer
from training.data.helpdesk.transport import Api
from training.data.helpdesk.zoho import Listing, ZohoDesk

# No record has this id; ids are 18 digits.
NOBODY = "1"


def check(api: Api, desk: ZohoDesk) -> Iterator[str]:
    """One line for each thing that is as expected; the errors of `errors.py` for the first that is not."""
    yield from _listing("articles", desk.article_list())
    yield from _listing("tickets", desk.ticket_list())
    yield from _record("article", desk.article_list(), desk.article)
    yield from _record("ticket", desk.ticket_list(), desk.ticket)
    if api.get(f"/tickets/{NOBODY}") is not None:
        raise OddAnswer(f"/tickets/{NOBODY}: a record that cannot exist was found")
    yield "unknown records: said to be unknown"


def _record(name: str, listing: Listing, fetch: Callable[[str], object]) -> Iterator[str]:
    for entry in listing.page(0)[:1]:
        found = fetch(entry.id)
        yield f"{name}: the oldest is as documented" + (f" ({found})" if isinstance(found, str) else "")


def _listing(name: str, listing: Listing) -> Iterator[str]:
    page = listing.page(0)
    yield f"{name}: {len(page)} on the first page"
    if len(page) > 1:
        if page != sorted(page, key=lambda entry: entry.createdTime):
            raise OddAnswer(f"{name}: not sorted by createdTime")
        yield f"{name}: oldest first"
        if listing.page(1)[0].id != page[1].id:
            raise OddAnswer(f"{name}: `from` does not count single records")
        yield f"{name}: `from` counts records"
    if len(page) < listing.limit:
        if listing.page(len(page)):
            raise OddAnswer(f"{name}: there are records past the end")
        yield f"{name}: nothing past the end"
