"""The part of Go's text/template that our exports use, so that what Ollama would render can be compared.

Values: `.Name`, `$.Name`, `$name`, `$name.Field`, numbers, strings, calls in parentheses of eq, gt, and, len, slice.
Actions: value, `if … else if … else … end`, `range $i, $m := value`. No trimming marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\(|\)|[^\s()]+)')


def collate(messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Ollama's data for a template: neighbours of one role joined, system texts gathered."""
    joined: list[dict[str, str]] = []
    for message in messages:
        if joined and joined[-1]["Role"] == message["role"]:
            joined[-1]["Content"] += "\n\n" + message["content"]
        else:
            joined.append({"Role": message["role"], "Content": message["content"]})
    systems = [message["content"] for message in messages if message["role"] == "system"]
    return {"System": "\n\n".join(systems), "Messages": joined}


def execute(template: str, data: Mapping[str, Any]) -> str:
    """The text of a template."""
    nodes, rest = _parse(_split(template))
    assert rest == [], f"unexpected {rest[0]}"
    return _run(nodes, {"$": data, ".": data})


def _split(template: str) -> list[tuple[str, str]]:
    parts = re.split(r"\{\{((?:[^}\"]|\"[^\"]*\")*)\}\}", template)
    kinds = ("text", "action")
    return [(kinds[at % 2], part.strip() if at % 2 else part) for at, part in enumerate(parts)]


def _parse(parts: list[tuple[str, str]]) -> tuple[list[Any], list[tuple[str, str]]]:
    nodes: list[Any] = []
    while parts:
        kind, text = parts[0]
        word = text.split(None, 1)[0] if kind == "action" else ""
        if word in ("end", "else"):
            return nodes, parts
        parts = parts[1:]
        if word in ("if", "range"):
            body, parts = _parse(parts)
            node, parts = _branch(word, text.split(None, 1)[1], body, parts)
            nodes.append(node)
        else:
            nodes.append((kind, text))
    return nodes, parts


def _branch(
    word: str, condition: str, body: list[Any], parts: list[tuple[str, str]]
) -> tuple[Any, list[tuple[str, str]]]:
    _, text = parts[0]
    parts = parts[1:]
    if text == "end":
        return (word, condition, body, []), parts
    if text.startswith("else if "):
        inner, parts = _parse(parts)
        node, parts = _branch("if", text.removeprefix("else if "), inner, parts)
        return (word, condition, body, [node]), parts
    other, parts = _parse(parts)
    assert parts[0] == ("action", "end")
    return (word, condition, body, other), parts[1:]


def _run(nodes: list[Any], scope: Mapping[str, Any]) -> str:
    return "".join(_node(node, scope) for node in nodes)


def _node(node: Any, scope: Mapping[str, Any]) -> str:
    kind, text = node[0], node[1]
    if kind == "text":
        return str(text)
    if kind == "action":
        return str(_value(text, scope))
    if kind == "if":
        return _run(node[2] if _value(text, scope) else node[3], scope)
    names, _, source = text.partition(":=")
    index, item = (name.strip() for name in names.split(","))
    found = enumerate(_value(source, scope))
    return "".join(_run(node[2], {**scope, ".": one, index: at, item: one}) for at, one in found)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "eq": lambda one, other: one == other,
    "gt": lambda one, other: one > other,
    "and": lambda *all_: next((one for one in all_ if not one), all_[-1]),
    "len": len,
    "slice": lambda all_, start: all_[start:],
}


def _value(text: str, scope: Mapping[str, Any]) -> Any:
    tokens = TOKEN.findall(text)
    value, rest = _call(tokens, scope)
    assert not rest, f"{text} has more than a value"
    return value


def _call(tokens: list[str], scope: Mapping[str, Any]) -> tuple[Any, list[str]]:
    if tokens[0] not in FUNCTIONS:
        return _atom(tokens, scope)
    function, tokens = FUNCTIONS[tokens[0]], tokens[1:]
    arguments = []
    while tokens and tokens[0] != ")":
        one, tokens = _atom(tokens, scope)
        arguments.append(one)
    return function(*arguments), tokens


def _atom(tokens: list[str], scope: Mapping[str, Any]) -> tuple[Any, list[str]]:
    head, rest = tokens[0], tokens[1:]
    if head == "(":
        value, rest = _call(rest, scope)
        assert rest[0] == ")"
        return value, rest[1:]
    if head.startswith('"'):
        return head[1:-1], rest
    if head.isdigit():
        return int(head), rest
    root, _, field = head.partition(".")
    value = scope[root or "."]
    return (value[field] if field else value), rest
