"""The Markdown that this project writes, as blocks for a page: headings, tables, lists, lines. Knows no HTML.

Bold marks stand around whole lines only; nothing else is read, so a text's own marks are shown as they are.
"""

from __future__ import annotations

from typing import Any

HEAD, TABLE, ITEMS, LINE = "head", "table", "items", "line"
BOLD = "**"


def blocks(markdown: str) -> list[dict[str, Any]]:
    """`{"kind": "head" | "line", "text"}`, `{"kind": "items", "items"}`, `{"kind": "table", "head", "rows"}`."""
    found: list[dict[str, Any]] = []
    for line in markdown.splitlines():
        last: dict[str, Any] = found[-1] if found else {"kind": ""}
        if line.startswith("| "):
            _table(found, last, [cell.strip() for cell in line.strip().strip("|").split(" | ")])
        elif line.startswith("- "):
            if last["kind"] != ITEMS:
                found.append(last := {"kind": ITEMS, "items": []})
            last["items"].append(line[2:])
        elif line.startswith("#") or (line.startswith(BOLD) and line.endswith(BOLD)):
            found.append({"kind": HEAD, "text": line.lstrip("# ").strip("*")})
        else:
            found.append({"kind": LINE, "text": line})
    return [one for one in found if one["kind"] != LINE or one["text"].strip()]


def _table(found: list[dict[str, Any]], last: dict[str, Any], cells: list[str]) -> None:
    if last["kind"] != TABLE:
        found.append({"kind": TABLE, "head": cells, "rows": []})
    elif not all(set(cell) <= set("-:") for cell in cells):
        last["rows"].append(cells)
