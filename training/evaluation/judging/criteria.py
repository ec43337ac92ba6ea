"""What a judge compares answers by: sets of weighted criteria with their Russian wording. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.recipes import RecipeError


@dataclass(frozen=True)
class Criterion:
    """One question to the judge. `weight`: its part of the total."""

    id: str
    title: str
    question: str
    weight: float


@dataclass(frozen=True)
class Criteria:
    """A named set; weights add up to 1."""

    name: str
    items: tuple[Criterion, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the criteria, in order."""
        return tuple(item.id for item in self.items)

    def total(self, values: Mapping[str, float]) -> float:
        """Weighted mean of one value a criterion, within the values' own range."""
        return sum(item.weight * values[item.id] for item in self.items) / sum(item.weight for item in self.items)


SETS: dict[str, Criteria] = {
    one.name: one
    for one in (
        Criteria(
            "general",
            (
                Criterion("relevance", "уместность", "какой ответ точнее относится к последнему сообщению", 1 / 3),
                Criterion("usefulness", "полезность", "какой ответ больше даёт собеседнику", 1 / 3),
                Criterion("clarity", "ясность", "какой ответ легче понять с первого раза", 1 / 3),
            ),
        ),
        Criteria(
            "product",
            (
                Criterion("content", "содержание", "какой ответ вернее и полнее по сути", 0.45),
                Criterion("grammar", "грамотность", "в каком ответе меньше ошибок языка", 0.20),
                Criterion("structure", "построение", "какой ответ связнее и лучше построен", 0.20),
                Criterion("style", "стиль", "какой ответ звучит естественнее и лучше подходит к разговору", 0.15),
            ),
        ),
        Criteria("overall", (Criterion("overall", "в целом", "какой ответ лучше в целом", 1.0),)),
    )
}


def find(name: str) -> Criteria:
    """A set by name; RecipeError lists what there is."""
    if name not in SETS:
        raise RecipeError(f"there are no criteria '{name}', only {', '.join(SETS)}")
    return SETS[name]
