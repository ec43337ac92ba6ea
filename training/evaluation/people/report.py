"""People's ratings as Markdown tables in English or Russian. Knows no source of ratings and no statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.evaluation.people.opinions import CRITERIA
from training.evaluation.people.published import Finding
from training.evaluation.people.scores import Scored, Standing
from training.evaluation.people.strengths import Strength
from training.evaluation.people.versus import Versus
from training.evaluation.statistics import LEAST, Interval

WORDS = {
    "en": {
        "criteria": "Stars by criterion",
        "criteria_head": "| system | criterion | 1 / 2 / 3 / 4 / 5 | mean | 3–5 | 1–2 |",
        "totals": "Systems",
        "totals_head": "| system | weighted total | 3–5 of all stars | 1–2 of all stars | thumbs up |",
        "versus": "Differences of weighted stars",
        "versus_line": "- {one} − {other}: {found}, p = {p:.4f}, {how}: {words}.",
        "paired": "by people who rated both",
        "groups": "between two groups of people",
        "agreement": "Agreement of raters (Krippendorff's alpha, ordinal)",
        "agreement_head": "| criterion | alpha | answers rated by two or more |",
        "strengths": "Strengths from pairs (Bradley–Terry, Elo scale)",
        "strengths_head": "| system | Elo | pairs |",
        "published": "Published means against their counts",
        "absent": "not available",
        "unrated": "no ratings of {names}",
        "few": "too few people: {n}, at least {least} are needed",
        "content": "content",
        "grammar": "grammar",
        "structure": "structure",
        "style": "style",
    },
    "ru": {
        "criteria": "Звёзды по признакам",
        "criteria_head": "| система | признак | 1 / 2 / 3 / 4 / 5 | среднее | 3–5 | 1–2 |",
        "totals": "Системы",
        "totals_head": "| система | взвешенный итог | 3–5 из всех звёзд | 1–2 из всех звёзд | 👍 |",
        "versus": "Разницы взвешенных звёзд",
        "versus_line": "- {one} − {other}: {found}, p = {p:.4f}, {how}: {words}.",
        "paired": "по людям, оценившим обе",
        "groups": "между двумя группами людей",
        "agreement": "Согласие оценивших (альфа Криппендорфа, порядковая)",
        "agreement_head": "| признак | альфа | ответов с двумя и более оценками |",
        "strengths": "Сила по парам (Брэдли — Терри, шкала Эло)",
        "strengths_head": "| система | Эло | пар |",
        "published": "Опубликованные средние и их счётчики",
        "absent": "нет данных",
        "unrated": "нет оценок: {names}",
        "few": "слишком мало людей: {n}, нужно хотя бы {least}",
        "content": "содержание",
        "grammar": "грамотность",
        "structure": "построение",
        "style": "стиль",
    },
}


def stars(standings: Sequence[Standing], language: str = "en") -> str:
    """Systems with totals, then every criterion."""
    words = WORDS[language]
    lines = [f"### {words['totals']}", "", words["totals_head"], _rule(words["totals_head"])]
    for one in standings:
        total = _plain(one.total, language) if one.total else _no_total(one, language)
        shares = " | ".join(_percent(share, language) for share in (one.positive, one.negative, one.liked))
        lines.append(f"| {_cell(one.system)} | {total} | {shares} |")
    lines += ["", f"### {words['criteria']}", "", words["criteria_head"], _rule(words["criteria_head"])]
    for one in standings:
        lines += [
            _criterion(one.system, words[name], one.criteria[name], language)
            for name in CRITERIA
            if name in one.criteria
        ]
    return "\n".join(lines)


def differences(found: Sequence[Versus], language: str = "en") -> str:
    """Every comparison as a line."""
    words = WORDS[language]
    lines = [f"### {words['versus']}", ""]
    for one in found:
        facts = {"one": one.one, "other": one.other, "p": one.difference.p, "words": one.words(language)}
        how = words["paired"] if one.paired else words["groups"]
        lines.append(words["versus_line"].format(found=_range(one.difference.interval, "+.3f"), how=how, **facts))
    return "\n".join(lines)


def agreement(found: Mapping[str, Interval | str], language: str = "en") -> str:
    """Alpha a criterion, or the reason why there is none."""
    words = WORDS[language]
    lines = [f"### {words['agreement']}", "", words["agreement_head"], _rule(words["agreement_head"])]
    for name, one in found.items():
        if isinstance(one, str):
            lines.append(f"| {words[name]} | {words['absent']}: {one} | 0 |")
        else:
            lines.append(f"| {words[name]} | {_range(one)} | {one.n} |")
    return "\n".join(lines)


def standing(found: Sequence[Strength], language: str = "en") -> str:
    """Elo of every system."""
    words = WORDS[language]
    lines = [f"### {words['strengths']}", "", words["strengths_head"], _rule(words["strengths_head"])]
    return "\n".join(
        [*lines, *(f"| {_cell(one.system)} | {_plain(one.elo, language, '.0f')} | {one.duels} |" for one in found)]
    )


def checks(found: Mapping[str, Finding], language: str = "en") -> str:
    """What became of published means."""
    lines = [f"- {name}: {one.words(language)}" for name, one in found.items()]
    return "\n".join([f"### {WORDS[language]['published']}", "", *lines])


def _criterion(system: str, name: str, one: Scored, language: str) -> str:
    counts = " / ".join(map(str, one.counts))
    shares = f"{_percent(one.positive, language, few=False)} | {_percent(one.negative, language, few=False)}"
    return f"| {_cell(system)} | {name} | {counts} | {_plain(one.mean, language, '.4f')} | {shares} |"


def _range(one: Interval, form: str = ".3f") -> str:
    return f"{one.mean:{form}} [{one.low:{form}}, {one.high:{form}}]"


def _plain(one: Interval, language: str, form: str = ".3f") -> str:
    return _range(one, form) + _few(one, language)


def _percent(one: Interval | None, language: str, *, few: bool = True) -> str:
    if one is None:
        return WORDS[language]["absent"]
    return _range(one, ".1%") + (_few(one, language) if few else "")


def _few(one: Interval, language: str) -> str:
    return f" ({WORDS[language]['few'].format(n=one.n, least=LEAST)})" if one.few else ""


def _rule(head: str) -> str:
    return "|" + " --- |" * (head.count("|") - 1)


def _no_total(one: Standing, language: str) -> str:
    words = WORDS[language]
    missing = ", ".join(words[name] for name in CRITERIA if name not in one.criteria)
    return f"{words['absent']} ({words['unrated'].format(names=missing)})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
