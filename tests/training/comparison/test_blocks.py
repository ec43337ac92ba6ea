"""Markdown of published tables becomes headings, tables and lists of a page."""

from __future__ import annotations

from pathlib import Path

from training.comparison import beside, plan
from training.comparison.blocks import blocks


def test_tables_lists_headings_and_lines_are_told_apart() -> None:
    table = ["| a | b |", "| --- | --- |", "| 1 | - |", "| x |  |"]
    lines = ["О таблице.", "", *table, "", "**Чем отличается**", "", "- одно", "- другое", "", "### Итог", "Нет."]
    assert blocks("\n".join(lines)) == [
        {"kind": "line", "text": "О таблице."},
        {"kind": "table", "head": ["a", "b"], "rows": [["1", "-"], ["x", ""]]},
        {"kind": "head", "text": "Чем отличается"},
        {"kind": "items", "items": ["одно", "другое"]},
        {"kind": "head", "text": "Итог"},
        {"kind": "line", "text": "Нет."},
    ]


def test_a_shipped_table_is_whole_and_in_its_language() -> None:
    found = blocks(beside.text(plan.load(Path("desk")), None, "ru"))
    tables = [one for one in found if one["kind"] == "table"]
    assert [len(one["head"]) for one in tables] == [4, 5, 6]
    assert all(len(row) == len(one["head"]) for one in tables for row in one["rows"])
    assert tables[0]["rows"][0][:3] == ["gpt-j", "содержание", "2.9677"]
    told = [item for one in found if one["kind"] == "items" for item in one["items"]]
    assert "машина: опубликовано: не указано; у нас: здесь ничего не измерено" in told
    assert any(item.startswith("ПРОТИВОРЕЧИЕ: llama-2, style") for item in told)
    assert "no ratings" not in str(found)
