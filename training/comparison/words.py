"""What the report and the card say, in English and Russian. Words only."""

from __future__ import annotations

from training.comparison.choosing import Result
from training.evaluation.statistics import CONFIDENCE, Difference
from training.evaluation.tables import probability

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Methods side by side", "base": "base", "data": "data", "prompts": "held-out prompts",
        "gate": "gate", "main": "Main result", "table": "All figures", "plots": "Plots", "examples": "Examples",
        "first": "The first {n} prompts", "worst": "The {n} prompts where tuned models did worst",
        "apart": "The {n} prompts where models differ most",
        "rule": "Chosen by rule, never by hand: by {score}, ties in the order of the set.",
        "first_rule": "Chosen by rule, never by hand: the order of the set.",
        "alarms": "Alarms and suspicions", "no_alarms": "No alarm, no suspicion.",
        "how": "What was run", "published": "Published figures", "metric": "figure", "absent": "not available",
        "tokens": "answer, tokens", "minutes": "training, minutes", "radar": "Emotion hit by preset",
        "length": "Length and quality", "cost": "Cost and quality", "losses": "Losses",
        "losses_note": "Each method has a loss of its own, so curves compare along themselves, not with each other.",
        "step": "step", "reference": "a person", "asked": "asked", "intensity": "intensity", "empty": "(empty)",
        "entry": "entry", "method": "method", "recipe": "recipe", "laid": "laid over it",
        "rows": "rows", "all": "all", "machine": "machine",
        "seed": "seed", "failed": "Not trained", "why": "Not available", "score": "score",
        "note": "Mean and 95 % interval over prompts; below it the difference to «{first}» on the same prompts. Of "
        "{tests} differences looked at, chance alone shows about {chance:.0f}. Cost rows are single measurements.",
        "gate_note": "It is another classifier than the one that picks or rewards («{picker}»).",
        "bundled": "the bundled starter", "seed_corpus": "the seed corpus",
        "of_data": "{data}, {rows} rows to learn from, {prompts} held-out prompts",
        "relation": "Rank correlation of length and quality: {told}.",
        "nothing": "No figure was measured for every system, so there is no main result.",
        "made": "made by otklik bench methods",
        "higher": "{one} is higher than {other}: {diff}", "lower": "{one} is lower than {other}: {diff}",
        "same": "{one} and {other} are not told apart on {n} prompts: {diff}",
        "few": "Too few prompts ({n}) to tell {one} from {other}: {diff}",
        "best": "{column}: highest mean has {best}, {value}",
        "holds": "{one} is higher than {other}: {diff}, corrected for {n} methods p {p}",
        "falls": "{one} against {other}: {diff}; corrected for {n} methods p {p}, not shown",
        "scroll": "The table scrolls sideways.",
    },
    "ru": {
        "title": "Методы рядом", "base": "база", "data": "данные", "prompts": "запросов вне обучения",
        "gate": "независимый классификатор", "main": "Главное", "table": "Все показатели", "plots": "Графики",
        "examples": "Примеры", "first": "Первые запросы: {n}",
        "worst": "Запросы, где обученные модели хуже всего: {n}",
        "apart": "Запросы, где модели расходятся сильнее всего: {n}",
        "rule": "Выбраны правилом, а не рукой: по показателю «{score}», при равенстве – по порядку набора.",
        "first_rule": "Выбраны правилом, а не рукой: по порядку набора.",
        "alarms": "Тревоги и подозрения", "no_alarms": "Ни тревог, ни подозрений.",
        "how": "Что запускалось", "published": "Опубликованные числа", "metric": "показатель",
        "absent": "нет данных", "tokens": "длина ответа, токенов", "minutes": "обучение, минут",
        "radar": "Попадание в эмоцию по пресетам", "length": "Длина и качество", "cost": "Цена и качество",
        "losses": "Потери",
        "losses_note": "У каждого метода своя функция потерь: кривую сравнивают с её же началом, а не с соседними.",
        "step": "шаг", "reference": "человек", "asked": "просили", "intensity": "сила", "empty": "(пусто)",
        "entry": "запись", "method": "метод", "recipe": "рецепт", "laid": "поверх него",
        "rows": "строк", "all": "все", "machine": "машина",
        "seed": "зерно", "failed": "Не обучено", "why": "Нет данных", "score": "оценка",
        "note": "Среднее и 95 % интервал по запросам; ниже – разница с «{first}» на тех же запросах. Из {tests} "
        "разниц сама случайность показывает около {chance:.0f}. Стоимость измерена по одному разу.",
        "gate_note": "Выбирает и награждает другой классификатор («{picker}»).",
        "bundled": "модель из репозитория", "seed_corpus": "затравочный корпус",
        "of_data": "{data}, обучение на {rows} строках, {prompts} запросов вне обучения",
        "relation": "Ранговая корреляция длины и качества: {told}.",
        "nothing": "Ни один показатель не измерен у всех, поэтому главного результата нет.",
        "made": "сделано командой otklik bench methods",
        "higher": "{one} выше, чем {other}: {diff}", "lower": "{one} ниже, чем {other}: {diff}",
        "same": "{one} и {other} на {n} запросах не различить: {diff}",
        "few": "Слишком мало запросов ({n}), чтобы отличить {one} от {other}: {diff}",
        "best": "{column}: наибольшее среднее у {best}, {value}",
        "holds": "{one} выше, чем {other}: {diff}, с поправкой на {n} методов p {p}",
        "falls": "{one} против {other}: {diff}; с поправкой на {n} методов p {p}, не доказано",
        "scroll": "Таблица прокручивается вбок.",
    },
}  # fmt: skip


def told(one: str, other: str, difference: Difference, language: str, digits: int = 2) -> str:
    """What a difference says, in a sentence with its interval and p."""
    found = difference.interval
    diff = (
        f"{found.mean:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}], p {probability(difference.p)}"
    )
    return WORDS[language][difference.verdict].format(one=one, other=other, n=found.n, diff=diff)


def sentences(result: Result, first: str, language: str) -> list[str]:
    """The main result: the best system, against the first one, and against the next best."""
    column = result.column.russian if language == "ru" else result.column.title
    value = f"{result.value.mean:.2f} [{result.value.low:.2f}, {result.value.high:.2f}]"
    lines = [WORDS[language]["best"].format(column=column, best=result.best, value=value)]
    if result.over_base is not None:
        lines.append(_over_base(result, first, language))
    if result.second is not None and result.over_second is not None:
        lines.append(told(result.best, result.second, result.over_second, language))
    return lines


def _over_base(result: Result, first: str, language: str) -> str:
    """The best against the first system; where it seems higher, with p for having looked at so many."""
    found, p = result.over_base, result.corrected
    if found is None or p is None or result.compared < 2 or found.verdict != "higher":
        return told(result.best, first, found, language) if found else ""
    one = found.interval
    kind = "holds" if p < 1 - CONFIDENCE else "falls"
    return WORDS[language][kind].format(
        one=result.best,
        other=first,
        diff=f"{one.mean:+.2f} [{one.low:+.2f}, {one.high:+.2f}]",
        n=result.compared,
        p=probability(p),
    )
