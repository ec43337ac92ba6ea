"""`strip_markup`: HTML, Markdown and pictures become the plain text that a person would read aloud.

Only known HTML names count as tags, so that «2 < 3» and `<ТЕЛЕФОН>` stay. E-mail tails are cut by `mail`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from training.data.rows import Row
from training.data.steps.mail import without_cited_html, without_tail
from training.data.steps.part import Context, Counts, Part, each
from training.data.steps.texts import emptied, rewritten

_BLOCK = "p|div|br|hr|li|ul|ol|tr|table|tbody|thead|tfoot|h[1-6]|blockquote|pre|section|article|header|footer|dl|dt|dd"
_INLINE = (
    "a|abbr|b|big|body|button|caption|center|cite|code|col|colgroup|del|em|figcaption|figure|font|form|head|html|i|"
    "iframe|input|ins|kbd|label|link|main|mark|meta|nav|noscript|o:p|option|q|s|samp|select|small|source|span|strike|"
    "strong|sub|summary|sup|td|textarea|th|time|title|u|var|video|audio|picture|img|svg|path|details|!doctype"
)
# Attributes have ASCII names («a<b и c>d» holds no tag) and may hold «>» only inside quotes.
_REST = r"""(?:\s+(?=[a-z_:@/>])(?:[^<>"']|"[^"]*"|'[^']*')*)?/?>"""
_HIDDEN = re.compile(r"<(script|style|head|noscript|svg)\b[^>]*>.*?</\1\s*>|<!--.*?-->|<!\[CDATA\[|\]\]>", re.I | re.S)
_ITEM = re.compile(r"[ \t]*<li\b" + _REST, re.I)
_CELL = re.compile(r"</t[dh]\s*>\s*(?=<t[dh]\b)", re.I)
_BREAK = re.compile(rf"[ \t]*\n?[ \t]*</?(?:{_BLOCK})" + _REST + r"[ \t]*\n?", re.I)
_TAG = re.compile(rf"</?(?:{_INLINE})" + _REST, re.I)

_MARKDOWN = re.compile(r"[*_`~|\\\[<#=]|--|- -")
# Code stays as it is: «# x», «__init__» and «2 * 3» are no markup there.
_CODE = re.compile(
    r"^[ \t]*(?P<fence>```|~~~)[^\n`]*\n(?P<block>.*?)(?:^[ \t]*(?P=fence)[ \t]*$\n?|\Z)"
    r"|(?<![\w`])(?P<tick>`+)(?P<span>[^`\n]+)(?P=tick)(?![\w`])",
    re.M | re.S,
)
_KEPT = re.compile("\ue000(\\d+)\ue001")
_IMAGE = re.compile(r"!\[[^\]\n]*\](?:\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\[[^\]\n]*\])")
_LINK = re.compile(r"(?<!!)\[([^\[\]\n]+)\]\((?:[^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+)>")
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$", re.M)
_UNDERLINE = re.compile(r"^[ \t]*(?:={3,}|(?:[-*_][ \t]?){3,})[ \t]*$\n?", re.M)
_STRONG = re.compile(r"(?<![\w*\\])(\*{1,3}|~~)(?=[^\s*])([^\n]*?\w[^\n]*?)(?<=[^\s*\\])\1(?![\w*])")
_UNDERSCORED = re.compile(r"(?<![\w_])(_{1,3})(?=[^\s_])([^\n]+?)(?<=[^\s_])\1(?![\w_])")
_RULE_OF_TABLE = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?$\n?", re.M)
_ROW_OF_TABLE = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$", re.M)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|~>])")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LINE_END = re.compile(r"[ \t]+(?=\n)")
_LONG_SPACE = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")


class StripMarkup(Part):
    """Plain text instead of markup; rows with a text that consisted of it are dropped."""

    step: Literal["strip_markup"] = "strip_markup"
    html: bool = Field(default=True, description="Tags, comments, scripts, pictures.")
    markdown: bool = Field(default=True, description="Signs of Markdown, pictures; code stays.")
    mail: bool = Field(default=True, description="Quoted letters, signatures, adverts of mail programs.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.html or self.markdown or self.mail):
            raise ValueError("strip one of html, markdown and mail")
        return self

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        def decide(row: Row) -> Row | str:
            new = rewritten(row, self.stripped)
            return "only_markup" if emptied(new) and not emptied(row) else new

        return each(rows, counts, decide)

    def stripped(self, text: str) -> str:
        """The plain text, with what this part strips."""
        new = text
        if self.html and "<" in text:
            new = without_html(without_cited_html(new) if self.mail else new)
        new = without_tail(new) if self.mail else new
        new = without_markdown(new) if self.markdown else new
        return text if new == text else _LONG_SPACE.sub(" ", _BLANK_LINES.sub("\n\n", _LINE_END.sub("", new))).strip()


def without_html(text: str) -> str:
    """The text between tags: blocks are lines, items begin with a dash, pictures, scripts and comments are gone."""
    text = _CELL.sub(" ", _ITEM.sub("\n— ", _HIDDEN.sub("", text)))
    return _TAG.sub("", _BREAK.sub("\n", text))


def without_markdown(text: str) -> str:
    """The words of Markdown: links by their names, no pictures, no signs of headings, emphasis, code and tables."""
    if not _MARKDOWN.search(text) or "\ue000" in text:
        return text
    code: list[str] = []

    def keep(found: re.Match[str]) -> str:
        code.append(found["block"] or found["span"] or "")
        return f"\ue000{len(code) - 1}\ue001"

    text = _IMAGE.sub("", _CODE.sub(keep, text))
    text = _AUTOLINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = _HEADING.sub(r"\1", _RULE_OF_TABLE.sub("", text))
    text = _ROW_OF_TABLE.sub(_cells, _UNDERLINE.sub("", text))
    for _ in range(2):  # bold inside italics
        text = _UNDERSCORED.sub(r"\2", _STRONG.sub(r"\2", text))
    return _KEPT.sub(lambda found: code[int(found[1])], _ESCAPED.sub(r"\1", text))


def _cells(found: re.Match[str]) -> str:
    return " ".join(cell.strip() for cell in found[1].split("|"))
