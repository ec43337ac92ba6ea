"""From an OpenAPI description to what the page shows: operations by tag, fields of bodies, a sample body. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 6
METHODS = ("get", "post", "put", "patch", "delete")
Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body, or a parameter. `place`: body, path, query or header."""

    name: str
    kind: str
    required: bool
    about: str
    place: str = "body"


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint. `sample`: a body to begin with; `streams`: it answers by server-sent events."""

    method: str
    path: str
    about: str
    given: tuple[Field, ...]
    answer: tuple[Field, ...]
    sample: str
    streams: bool
    locked: bool

    @property
    def anchor(self) -> str:
        """Its name in addresses."""
        return f"{self.method}{self.path}".replace("/", "-").replace("{", "").replace("}", "")


def operations(whole: Node) -> dict[str, list[Operation]]:
    """Operations by tag, in the order of the description."""
    found: dict[str, list[Operation]] = {}
    for path, methods in whole["paths"].items():
        for method in METHODS:
            if method in methods:
                one = methods[method]
                found.setdefault((one.get("tags") or ["other"])[0], []).append(_operation(whole, path, method, one))
    return found


def _operation(whole: Node, path: str, method: str, one: Node) -> Operation:
    body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    good: Node = next((answer for status, answer in one["responses"].items() if status.startswith("2")), {})
    content = good.get("content", {})
    schema = content.get("application/json", {}).get("schema")
    parameters = [
        Field(given["name"], kind(whole, given["schema"]), given.get("required", False), _about(given), given["in"])
        for given in one.get("parameters", ())
    ]
    return Operation(
        method=method,
        path=path,
        about=str(one.get("description") or one.get("summary") or ""),
        given=(*parameters, *(fields(whole, body) if body else ())),
        answer=tuple(fields(whole, schema)) if schema else (),
        sample=json.dumps(sample(whole, body), ensure_ascii=False, indent=2) if body else "",
        streams="text/event-stream" in content,
        locked=bool(one.get("security")),
    )


def fields(whole: Node, schema: Node) -> Iterator[Field]:
    """The fields of an object."""
    found = resolved(whole, schema)
    required = set(found.get("required", ()))
    for name, value in found.get("properties", {}).items():
        yield Field(name, kind(whole, value), name in required, _about(value))


def kind(whole: Node, schema: Node) -> str:
    """A type in a few words: `string (1–200)`, `list of Message`, `joy | sadness`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(whole, one) for one in options if one.get("type") != "null"))
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {kind(whole, schema.get('items', {}))}"
    low, high = [_bound(schema, names) for names in (("minimum", "minLength"), ("maximum", "maxLength"))]
    told = {(True, True): f" ({low}–{high})", (True, False): f" (from {low})", (False, True): f" (up to {high})"}
    return str(schema.get("type", "anything")) + told.get((bool(low), bool(high)), "")


def _bound(schema: Node, names: tuple[str, str]) -> str:
    value = next((schema[name] for name in names if name in schema), None)
    return "" if value is None else str(int(value)) if float(value).is_integer() else str(value)


def sample(whole: Node, schema: Node, depth: int = 0) -> Any:
    """A value of this shape, as small as it may be; given examples and defaults first."""
    found = resolved(whole, schema)
    for known in ("const", "default"):
        if known in found and depth:
            return found[known]
    if found.get("examples") or found.get("enum"):
        return (found.get("examples") or found["enum"])[0]
    if options := [one for one in found.get("anyOf", ()) if one.get("type") != "null"]:
        return sample(whole, options[0], depth)
    if depth > DEEPEST:
        return None
    if found.get("type") == "array":
        return [sample(whole, found.get("items", {}), depth + 1) for _ in range(found.get("minItems", 0))]
    if found.get("type") == "object":
        return {
            name: sample(whole, value, depth + 1)
            for name, value in found.get("properties", {}).items()
            if name in found.get("required", ()) or value.get("examples")
        }
    simple: dict[str, Any] = {"string": "…", "integer": found.get("minimum", 1), "number": 1.0, "boolean": False}
    return simple.get(str(found.get("type")))


def resolved(whole: Node, schema: Node) -> Node:
    """What a reference points at."""
    if "$ref" not in schema:
        return schema
    found: Node = whole["components"]["schemas"][str(schema["$ref"]).rsplit("/", 1)[1]]
    return found


def _about(value: Node) -> str:
    default = value.get("default", value.get("schema", {}).get("default"))
    told = str(value.get("description") or value.get("schema", {}).get("description") or "")
    return (
        f"{told} Default: {json.dumps(default, ensure_ascii=False)}.".strip() if default not in (None, "", []) else told
    )
