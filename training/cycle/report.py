"""`report.md` of a refit: what it learned from, how it trained, what the gate saw. Knows files, no model."""

from __future__ import annotations

from typing import Any

from training.cycle.order import Order, Weights
from training.cycle.places import JobFolder
from training.gate import Verdict


def write(folder: JobFolder, order: Order, plan: dict[str, Any], verdict: Verdict) -> None:
    """Write it; paths in it are relative to the job's folder."""
    method = str(plan["method"])
    rows = plan.get("rows", {})
    lines = [
        f"# Refit {order.job_id}",
        "",
        f"- method: {method}; {'; '.join(plan.get('en', ()))}",
        f"- slot: {order.slot}; base: {order.base}",
        f"- started from: {_weights(order.start)}",
        f"- compared with: {_weights(order.incumbent)}",
        *([f"- and with the first version: {_weights(order.anchor)}"] if order.anchor is not None else []),
        *(f"- note: {english}" for _, english in order.remarks),
        f"- people's rows: {', '.join(f'{name} {value}' for name, value in rows.items() if value is not None)}",
        f"- preference model: {'fitted' if plan.get('preference') else 'too few pairs, so emotion alone decided'}",
        f"- run: runs/{method}-refit/report.md, recipe: recipes/{method}.yaml",
        "",
        "## Verdict",
        "",
        "```",
        verdict.text("en", whole=True),
        "```",
        "",
        "```",
        verdict.text("ru", whole=True),
        "```",
        "",
        "![picture](picture.png)",
    ]
    folder.report.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _weights(one: Weights) -> str:
    if one.adapter_id is not None:
        return one.adapter_id
    return "what the worker has by itself" if one.folder is not None else "the bare base"
