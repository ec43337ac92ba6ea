"""What a chat template puts around each turn, found by rendering marked dialogues, so that it can be said in another
template language. A template whose texts do not come from such wrappers is refused, never approximated.

The dialogues are rendered by `models/prompt.py`, the renderer that serves and trains. Knows no target language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.prompt import FALLBACK_TEMPLATE, render_plain
from storage.contracts import Turn
from training.export.errors import Unsupported

# Words that no template treats in a special way; each stands in one place only.
WORDS = ("альфа", "бета", "гамма", "дельта", "эпсилон", "дзета", "эта")
SYSTEM = "сигма"
LONGEST = 7


@dataclass(frozen=True)
class Wrapping:
    """`opening`: before the person's first words without a system text; with one, `head` stands before the system text
    and `neck` between it and those words (`place` first), or both around it in the newest turn (`place` last), or it is
    left out (`place` nowhere). `again`: before the person's later words; `asked`: after each of them; `answering` and
    `answered`: around what the assistant said; `answer`: where the new answer begins."""

    opening: str
    again: str
    asked: str
    answering: str
    answered: str
    answer: str
    place: Literal["first", "last", "nowhere"] = "nowhere"
    head: str = ""
    neck: str = ""

    def render(self, texts: Sequence[str], system: str = "") -> str:
        """A dialogue that the person begins and ends, ready for the answer."""
        parts = []
        for at, text in enumerate(texts):
            if at % 2:
                parts += [self.answering, text, self.answered]
                continue
            before = self.opening if at == 0 else self.again
            if system and self.place == "first" and at == 0:
                before = self.head + system + self.neck
            elif system and self.place == "last" and at == len(texts) - 1:
                before += self.head + system + self.neck
            parts += [before, text, self.asked]
        return "".join(parts) + self.answer


class _Mismatch(Exception):
    """A rendered dialogue is not what its parts say."""


def wrapping_of(tokenizer: Any, values: Mapping[str, Any], rendered: Callable[[Sequence[Turn], str], str]) -> Wrapping:
    """The wrappers of a tokenizer's template. `values`: what the template receives besides messages; `rendered`: the
    product's own renderer, which has the last word on every probe. Unsupported if wrappers do not explain it."""
    try:
        found = _placed(_plain(tokenizer, values), rendered)
        for length in range(1, LONGEST + 1, 2):
            for system in (SYSTEM, ""):
                if found.render(WORDS[:length], system) != rendered(_turns(WORDS[:length]), system):
                    raise _Mismatch
    except Exception as error:
        if not isinstance(error, _Mismatch) and type(error).__module__.partition(".")[0] != "jinja2":
            raise
        raise Unsupported(
            "this chat template does more than put fixed texts around turns, so it has no sure counterpart: write it "
            "in the target's language yourself and name it with --template FILE"
        ) from None
    return found


def plain_renderer(tokenizer: Any) -> Callable[[Sequence[Turn], str], str]:
    """Talk without a preset, as serving renders it."""
    return lambda turns, system: render_plain(tokenizer, turns, system)


def _turns(texts: Sequence[str]) -> tuple[Turn, ...]:
    return tuple(Turn(role="assistant" if at % 2 else "user", text=text) for at, text in enumerate(texts))


def _plain(tokenizer: Any, values: Mapping[str, Any]) -> Wrapping:
    """The wrappers without a system text, from three dialogues that grow by a turn each."""

    def shown(count: int, answer: bool = False) -> str:
        messages = [{"role": turn.role, "content": turn.text} for turn in _turns(WORDS[:count])]
        template = str(tokenizer.chat_template or FALLBACK_TEMPLATE)
        return str(
            tokenizer.apply_chat_template(
                messages, chat_template=template, tokenize=False, add_generation_prompt=answer, **values
            )
        )

    one, two, three = shown(1), shown(2), shown(3)
    opening, asked = _around(one, WORDS[0])
    answering, answered = _around(_after(two, one), WORDS[1])
    again, _ = _around(_after(three, two), WORDS[2])
    return Wrapping(opening, again, asked, answering, answered, _after(shown(1, True), one))


def _placed(plain: Wrapping, rendered: Callable[[Sequence[Turn], str], str]) -> Wrapping:
    """The wrappers with the place that a system text takes."""
    long = rendered(_turns(WORDS[:3]), SYSTEM)
    if SYSTEM not in long:
        return plain
    if long.index(SYSTEM) < long.index(WORDS[0]):
        head, rest = _around(long, SYSTEM)
        neck, _ = _around(rest, WORDS[0])
        return _with(plain, "first", head, neck)
    _, tail = _around(long, WORDS[1])
    head, rest = _around(_after(tail, plain.answered + plain.again), SYSTEM)
    neck, _ = _around(rest, WORDS[2])
    return _with(plain, "last", head, neck)


def _with(plain: Wrapping, place: Literal["first", "last"], head: str, neck: str) -> Wrapping:
    return Wrapping(
        plain.opening,
        plain.again,
        plain.asked,
        plain.answering,
        plain.answered,
        plain.answer,
        place=place,
        head=head,
        neck=neck,
    )


def _around(text: str, word: str) -> tuple[str, str]:
    before, found, after = text.partition(word)
    if not found:
        raise _Mismatch
    return before, after


def _after(text: str, start: str) -> str:
    if not text.startswith(start):
        raise _Mismatch
    return text[len(start) :]
