"""docs/feedback.md tells the rules as they are."""

from __future__ import annotations

import re
from pathlib import Path

from training.data.feedback import Entry, FeedbackRules
from training.data.feedback.page import table

PAGE = Path(__file__).parents[3] / "docs" / "feedback.md"


def test_the_table_of_rules_is_current() -> None:
    """If this fails: put the output of `python -m training.data.feedback.page` into docs/feedback.md."""
    assert table() in PAGE.read_text(encoding="utf-8")


def test_every_rule_has_a_reason() -> None:
    assert all(field.description for field in FeedbackRules.model_fields.values())


def test_the_example_of_the_log_is_an_entry() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    entry = Entry.model_validate_json(found[1])
    assert entry.answers[1].judgements[0].preferred_over == "a"
