"""The rules' table of docs/feedback.md, written from the rules themselves: `python -m training.data.feedback.page`."""

from __future__ import annotations

from training.data.feedback.rules import FeedbackRules


def table() -> str:
    """Every rule with its default and its reason, as Markdown."""
    lines = ["| rule | default | reason |", "| --- | --- | --- |"]
    for name, field in FeedbackRules.model_fields.items():
        value = str(field.default).lower() if isinstance(field.default, bool) else field.default
        lines.append(f"| `{name}` | {value} | {field.description} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
