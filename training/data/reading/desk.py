"""Readers of a help desk: knowledge-base articles, support tickets. Know their headings, no help-desk program."""

from __future__ import annotations

from storage.contracts import Turn
from training.data.reading.fields import Fields
from training.data.reading.plain import single
from training.data.rows import Feedback, Row

# Heading, lower case → field; the first field opens an article or a ticket.
ARTICLE = {
    "title": "title", "category": "category", "body": "body",
    "заголовок": "title", "название": "title", "категория": "category", "текст": "body", "содержание": "body",
}  # fmt: skip
TICKET = {
    "subject": "subject", "question": "question", "answer": "answer", "solved": "solved",
    "тема": "subject", "вопрос": "question", "ответ": "answer", "решено": "solved", "решён": "solved",
}  # fmt: skip


def article(fields: Fields) -> list[Row]:
    """`title`, `category`, `body` → an answer: the title asks, the body answers, the category is a tag."""
    title = fields.text("title")
    category = fields.text("category", optional=True)
    body = fields.answer("body")
    return [single(fields, title, body, **({"category": category} if category else {}))]


def ticket(fields: Fields) -> list[Row]:
    """`subject`, `question`, `answer`, `solved` → an answer tagged `outcome`; with kind `feedback`, a thumb."""
    subject = fields.text("subject", optional=True)
    question = fields.text("question")
    answer = fields.answer("answer")
    solved = fields.verdict("solved")
    # People put half of the question into the subject; one that the question repeats adds nothing.
    asked = f"{subject}\n\n{question}" if subject.casefold() not in question.casefold() else question
    outcome = "success" if solved else "failure"
    if fields.options.kind != "feedback":
        return [single(fields, asked, answer, outcome=outcome)]
    common = fields.common()
    common["tags"] |= {"outcome": outcome}
    fields.done()
    return [Feedback(prompt=(Turn(role="user", text=asked),), answer=answer, desirable=solved, **common)]
