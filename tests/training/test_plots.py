"""What a run's pictures show, and that nothing of ours unpickles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.gan import weight_change
from training.runs import loss_curves, plot_loss

PICTURE = b"\x89PNG"


def test_a_loss_curve_has_no_final_mean_and_no_term_that_is_switched_off(tmp_path: Path) -> None:
    lines = [
        {"step": 0, "eval_loss": 2.5},
        *({"step": step, "loss": 2 / step, "nll_loss": 0.0} for step in (1, 2, 3)),
        {"step": 3, "loss": 0.5, "eval_loss": 2.0},
        {"step": 3, "train_loss": 1.2},
    ]
    assert loss_curves(lines) == {"loss": [(1, 2.0), (2, 1.0), (3, 0.5)], "eval_loss": [(0, 2.5), (3, 2.0)]}
    assert plot_loss(lines, tmp_path / "loss.png") and (tmp_path / "loss.png").read_bytes()[:4] == PICTURE


def test_what_says_nothing_is_not_drawn(tmp_path: Path) -> None:
    assert not plot_loss([{"step": 1, "loss": 0.01}], tmp_path / "loss.png", left_out=("loss",))
    assert not (tmp_path / "loss.png").exists()


def test_parts_that_move_little_keep_a_scale_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    lines = [
        {"step": n, "change_base": 0.0, "change_generator": 0.001 * n, "change_discriminator": 9.0 * n}
        for n in (1, 2, 3)
    ]
    weight_change.plot(lines, tmp_path / "weights.png")
    base, generator, discriminator = drawn[0].axes
    assert base.get_title() == "base: unchanged"
    assert generator.get_ylim()[1] < 1 < discriminator.get_ylim()[1]
    assert all(tick == int(tick) for tick in generator.get_xticks())


def test_nothing_of_ours_unpickles() -> None:
    unpickles = re.compile(r"torch\.load\(|\bimport (c?pickle|joblib|dill)\b|pickle\.loads?\(|allow_pickle=True")
    root = Path(__file__).parents[2]
    sources = [
        path for folder in ("training", "models", "storage", "bot", "otklik") for path in (root / folder).rglob("*.py")
    ]
    assert len(sources) > 100
    assert not [path for path in sources if unpickles.search(path.read_text(encoding="utf-8"))]
