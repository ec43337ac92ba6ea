"""HTML, MarkdownV2 and what Telegram finds in plain text, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.playground.entities import detect, formatted
from bot.playground.errors import ApiError
from bot.playground.html import units


def shown(text: str, mode: str) -> tuple[str, list[tuple[str, str]]]:
    """Plain text and (kind, covered text) of each entity."""
    plain, entities = formatted(text, mode, None)
    wide = plain.encode("utf-16-le")
    cut = [(e["type"], wide[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le")) for e in entities]
    return plain, cut


@pytest.mark.parametrize(
    ("source", "plain", "entities"),
    [
        ("😀<b>ж</b>", "😀ж", [("bold", "ж")]),
        ("<b>а<i>б</i></b>", "аб", [("bold", "аб"), ("italic", "б")]),
        ("1 &lt; 2 &amp;&quot;&#33;&nbsp;", '1 < 2 &"!&nbsp;', []),
        ('<a href="https://a.b/?x=1&amp;y">тут</a>', "тут", [("text_link", "тут")]),
        ('<span class="tg-spoiler">тайна</span>', "тайна", [("spoiler", "тайна")]),
        ('<pre><code class="language-python">x</code></pre>', "x", [("pre", "x")]),
        ("<blockquote expandable>мысль</blockquote>", "мысль", [("expandable_blockquote", "мысль")]),
        ("  <b> край </b> ", "край", [("bold", "край")]),
        ("<code>/start</code> /start", "/start /start", [("code", "/start"), ("bot_command", "/start")]),
    ],
)
def test_html(source: str, plain: str, entities: list[tuple[str, str]]) -> None:
    assert shown(source, "HTML") == (plain, entities)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("ж</b>", "Unexpected end tag at byte offset 2"),
        ("<script>x</script>", 'Unsupported start tag "script" at byte offset 0'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler"'),
        ('<a href "x">y</a>', "Expected equal sign"),
    ],
)
def test_broken_html(source: str, complaint: str) -> None:
    with pytest.raises(ApiError) as refused:
        formatted(source, "HTML", None)
    assert refused.value.description.startswith("Bad Request: can't parse entities: ")
    assert complaint in refused.value.description


@pytest.mark.parametrize(
    ("source", "plain", "entities"),
    [
        ("*ж* _к_ __п__ ~з~ ||с||", "ж к п з с", ["bold", "italic", "underline", "strikethrough", "spoiler"]),
        ("раз\\. `a*b` [тут](https://a.b)", "раз. a*b тут", ["code", "text_link"]),
        ("```py\nx = 1\n```", "x = 1", ["pre"]),
        (">цитата\nпосле", "цитата\nпосле", ["blockquote"]),
    ],
)
def test_markdown(source: str, plain: str, entities: list[str]) -> None:
    text, found = shown(source, "MarkdownV2")
    assert (text, [kind for kind, _ in found]) == (plain, entities)


def test_plain_text_is_searched_for_links_names_and_commands() -> None:
    text = "/start@echo_bot смотри https://a.b/в, @anna_k и #тег, почта a@b.ru, дробь 1/2"
    assert [e["type"] for e in detect(text)] == ["bot_command", "url", "mention", "hashtag", "email"]


@given(st.text(max_size=60))
def test_escaped_text_always_comes_back(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain, _ = formatted(f"<i>{escaped}</i>", "HTML", None)
    assert plain == text.replace("\r", "").replace("\0", "").strip()


@given(st.text(alphabet="<>/abi&;\"'= *_~`[]()|\\!😀ж\n", max_size=40), st.sampled_from(["HTML", "MarkdownV2"]))
def test_any_markup_is_parsed_or_refused_and_entities_stay_inside(source: str, mode: str) -> None:
    try:
        plain, entities = formatted(source, mode, None)
    except ApiError as refused:
        assert refused.code == 400
        return
    assert all(e["offset"] >= 0 and e["offset"] + e["length"] <= units(plain) and e["length"] > 0 for e in entities)
