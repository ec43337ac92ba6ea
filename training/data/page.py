"""`docs/data.md`: how a data recipe is written, and every step with its keys, from the steps' own definitions.

`python -m training.data.page` writes it; a test keeps it current.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from training.data.steps.table import STEPS

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
HEAD = """# Data recipes

A data recipe says where rows come from, which steps they go through, how they are mixed and what is held out. As a
file of its own it is built by a command; under `data:` of a tuning recipe it is built when the run starts, once, into
`STORAGE_DIR/sets/<hash of recipe and sources>`.

```yaml
# otklik data build --recipe desk.yaml --out sets/desk --set split.held_out=0.05
sources:
  articles: {path: desk/articles.jsonl, read: knowledge_base, licence: our own}
  tickets:
    path: desk/tickets.jsonl
    read: tickets
    steps:                        # for the rows of this source
      - {step: outcome, keep: success}
mix: {articles: 0.3, tickets: 0.7}  # shares; or an order of names; or sequential, which is as written
steps:                            # for all rows, after mixing
  - clean                         # short for {step: clean}
  - strip_markup
  - {step: scrub, names: true}
  - exact_duplicates
  - {step: near_duplicates, threshold: 0.8}
  - {step: length, of: answer, min: 470, max: 610, tokenizer: path/of/the/base}
  - shuffle
split: {by: person, held_out: 0.1}  # or prompt, or tag
seed: 0
```

The set is a folder: `train.jsonl`, `held_out.jsonl` and `manifest.json` with hashes of all that was read, the counts of
every step, the seed and the versions of tools. The same recipe over the same files gives the same bytes.

A held-out row that shares a person, a dialogue or a prompt (case and punctuation aside) with a training row is
dropped and counted; so is one whose prompt is nearly a training row's (`split.near`, 0.8 unless told otherwise). A mix
by shares ends when the first source runs dry. Who reads a set checks its files against its manifest's hashes first.

Sources are described by `otklik data preview --help`. A fault names its file and line (in a `.json` also which row, in
a Word document the paragraph, in parquet the row). Text files may be UTF-8, UTF-16 or UTF-32, with a mark or (but for
UTF-32) without one, or Windows-1251, which is said in the log; another encoding is named with `encoding`. Where a file
stops being what it is read as, the fault says at which line and byte, what it looks like, and which `iconv` command
mends it. Word documents are known by what they hold, not by their suffix: new ones are read, old ones, rich text and
web pages go through LibreOffice, plain text that is called `.doc` is read as text with a word in the log, anything
else is refused by what it is.

This page is written by `python -m training.data.page`; a test
keeps it current, and `otklik data build --steps` prints the part below.

"""


def page() -> str:
    """The whole page."""
    return HEAD + steps_page()


def steps_page() -> str:
    """Every step: what it does, its keys, their values and defaults."""
    return "## Steps\n\n" + "\n".join("\n".join(_step(name, kind)) for name, kind in sorted(STEPS.items()))


def _step(name: str, kind: type[Any]) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield " ".join((kind.__doc__ or "").split()) + "\n"
    fields = {key: field for key, field in kind.model_fields.items() if key != "step"}
    if fields:
        yield "| key | values | default | meaning |"
        yield "| --- | --- | --- | --- |"
    for key, field in fields.items():
        default = "needed" if field.is_required() else _value(field.default)
        yield f"| `{key}` | {_values(field.annotation)} | {default} | {field.description or ''} |"
    yield from [""] if fields else []


def _value(value: Any) -> str:
    if value is None or value == ():
        return "—"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(kind))
    if get_origin(kind) is Annotated:
        return _values(get_args(kind)[0])
    if isinstance(kind, types.UnionType) or (get_origin(kind) is not None and get_origin(kind) is not tuple):
        return ", ".join(_values(one) for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is tuple:
        return "list of texts"
    return {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}[kind]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
