"""Chat templates for programs outside: without TRL's marks for training, ours where a model has none.

Knows nothing of any target; `models/prompt.py` stays the only renderer.
"""

from __future__ import annotations

import re
from typing import Any

from models.prompt import FALLBACK_TEMPLATE, render_plain
from storage.contracts import Turn

TAG = re.compile(r"\{%(?P<before>[-+]?)\s*(?:end)?generation\s*(?P<after>[-+]?)%\}")


def exported(tokenizer: Any) -> str:
    """The Jinja template that serving uses, as other programs can read it."""
    return without_generation_tags(str(tokenizer.chat_template or FALLBACK_TEMPLATE))


def without_generation_tags(template: str) -> str:
    """The template without `{% generation %}` and `{% endgeneration %}`, rendering exactly the same text.

    A tag that trims the space around it (or that stands on a line of its own, where Jinja's block trimming does) leaves
    an empty comment, which trims as it did.
    """

    def replaced(tag: re.Match[str]) -> str:
        around = template[: tag.start()][-1:] + template[tag.end() :][:1]
        if not tag["before"] and not tag["after"] and not re.search(r"\s", around):
            return ""
        return f"{{#{tag['before']} {tag['after']}#}}"

    return TAG.sub(replaced, template)


def sample_prompts(tokenizer: Any) -> tuple[str, ...]:
    """A few dialogues as serving renders them, ending where the answer begins."""
    asked, answered = Turn(role="user", text="Привет! Как дела?"), Turn(role="assistant", text="Хорошо, а у тебя?")
    dialogues = ((asked,), (asked, answered, Turn(role="user", text="Тоже.\nЧто нового?")))
    systems = ("", "Отвечай кратко.")
    return tuple(render_plain(tokenizer, turns, system) for turns in dialogues for system in systems)
