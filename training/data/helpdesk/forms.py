"""Articles and tickets in the forms that `training/data/reading` takes: `### …` sections and JSON lines.

Pure functions of one record. Knows no desk and no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from training.data.helpdesk.desk import Article, Ticket

_LIKE_HEADING = re.compile(r"^(?=\\*###)", re.MULTILINE)


def article_fields(article: Article) -> dict[str, str]:
    """The fields of the `knowledge_base` reader."""
    return {"title": article.title, "category": article.category, "body": article.body}


def ticket_fields(ticket: Ticket) -> dict[str, str | bool] | str:
    """The fields of the `tickets` reader, or why the ticket teaches nothing.

    The question is what the customer wrote before the first reply; the answer is the longest reply, because the last
    one is often no more than a farewell.
    """
    if ticket.solved is None:
        return "open"
    replies = [message.text for message in ticket.messages if message.role == "agent"]
    first = next((n for n, message in enumerate(ticket.messages) if message.role == "agent"), None)
    question = "\n\n".join(message.text for message in ticket.messages[:first] if message.role == "customer")
    if not replies:
        return "unanswered"
    if not question:
        return "without question"
    return {
        "subject": ticket.subject,
        "question": question,
        "answer": max(replies, key=len),
        "solved": ticket.solved,
        "category": ticket.category,
        "person": ticket.person,
    }


def section(fields: Mapping[str, str | bool], keys: tuple[str, ...]) -> str:
    """`### Key` sections of a record; text that looks like a heading is escaped as the readers expect."""
    parts = []
    for key in keys:
        value = fields[key]
        shown = ("yes" if value else "no") if isinstance(value, bool) else _LIKE_HEADING.sub(r"\\", value)
        parts.append(f"### {key.capitalize()}\n{shown}\n")
    return "\n".join(parts) + "\n"
