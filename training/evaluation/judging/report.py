"""Verdicts as tables: Markdown in English or Russian, and plain data for other reports. Knows no judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from training.evaluation.judging.criteria import Criteria
from training.evaluation.judging.running import Tally
from training.evaluation.judging.settings import JudgeSettings
from training.evaluation.judging.winning import Compared
from training.evaluation.people.strengths import Strength
from training.evaluation.statistics import Interval

WORDS = {
    "en": {
        "head": "{one} against {other}, {n} prompts",
        "columns": ("measure", "value", "95 % interval"),
        "total": "win rate, weighted",
        "controlled": "win rate, length-controlled",
        "criterion": "win rate, {name}",
        "counts": "wins / ties / losses",
        "lengths": "characters an answer",
        "verdicts": "verdicts / unparsable / too long for the judge",
        "flipped": "winner changes with the order",
        "unstable": "decision changes with the order",
        "first": "preference for the first place",
        "again": "same decision at another seed",
        "absent": "not available",
        "no_overlap": "not available: one system is longer on {share:.0%} of prompts",
        "no_again": "not available: asked once (--repeats 2)",
        "better": "{one} against one half: {words} (p = {p:.4f})",
        "none": "No prompt got a verdict.",
        "bill": "{done} questions, {cached} answered before, {same} not asked (equal answers), {retried} asked more "
        "than once, {unparsable} without a readable verdict; {read:,} tokens read, {written:,} written{cost}",
        "strengths": "Strengths (Bradley–Terry, Elo scale)",
        "system": "system",
    },
    "ru": {
        "head": "{one} против {other}, запросов: {n}",
        "columns": ("мера", "значение", "интервал 95 %"),
        "total": "доля побед, взвешенная",
        "controlled": "доля побед при равной длине",
        "criterion": "доля побед, {name}",
        "counts": "победы / ничьи / поражения",
        "lengths": "символов в ответе",
        "verdicts": "решения / не разобраны / не вместились в контекст судьи",
        "flipped": "победитель меняется с порядком",
        "unstable": "решение меняется с порядком",
        "first": "предпочтение первого места",
        "again": "то же решение при другом зерне",
        "absent": "нет данных",
        "no_overlap": "нет данных: одна система длиннее на {share:.0%} запросов",
        "no_again": "нет данных: спрошено один раз (--repeats 2)",
        "better": "{one} против половины: {words} (p = {p:.4f})",
        "none": "Ни по одному запросу решения нет.",
        "bill": "вопросов: {done}, отвечено раньше: {cached}, не задано (ответы одинаковы): {same}, задано повторно: "
        "{retried}, без разборчивого решения: {unparsable}; токенов прочитано: {read:,}, написано: {written:,}{cost}",
        "strengths": "Сила (Брэдли — Терри, шкала Эло)",
        "system": "система",
    },
}


def markdown(one: Compared, criteria: Criteria, language: str = "en") -> str:
    """One comparison as a section."""
    words = WORDS[language]
    name, value, interval = words["columns"]
    lines = [f"### {str(words['head']).format(one=_cell(one.one), other=_cell(one.other), n=one.prompts)}", ""]
    lines += [f"| {name} | {value} | {interval} |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows(one, criteria, language)]
    if one.better is None:
        return "\n".join([*lines, "", str(words["none"])])
    told = str(words["better"]).format(one=one.one, words=one.better.words(language), p=one.better.p)
    return "\n".join([*lines, "", told])


def rows(one: Compared, criteria: Criteria, language: str = "en") -> list[tuple[str, str, str]]:
    """(measure, value, interval) of one comparison."""
    words = WORDS[language]
    absent, unequal = str(words["absent"]), str(words["no_overlap"]).format(share=1 - one.overlap)
    shares: list[tuple[str, Interval | None, str]] = [
        (str(words["total"]), one.total, absent),
        (str(words["controlled"]), one.controlled, absent if one.total is None else unequal),
    ]
    shares += [
        (
            str(words["criterion"]).format(name=item.title if language == "ru" else item.id),
            one.by_criterion.get(item.id),
            absent,
        )
        for item in criteria.items
    ]
    trust = one.consistency
    found = [_share(*share) for share in shares]
    found.append((str(words["counts"]), f"{one.wins} / {one.ties} / {one.losses}", ""))
    found.append((str(words["lengths"]), f"{one.one_length:.0f} / {one.other_length:.0f}", ""))
    found.append((str(words["verdicts"]), f"{one.judged} / {one.unparsable} / {one.too_long}", ""))
    found += [
        _share(str(words["flipped"]), trust.flipped, absent),
        _share(str(words["unstable"]), trust.unstable, absent),
        _share(str(words["first"]), trust.first, absent),
        _share(str(words["again"]), trust.again, str(words["no_again"])),
    ]
    return found


def standing(found: Sequence[Strength], language: str = "en") -> str:
    """Strengths of all systems as a section."""
    words = WORDS[language]
    lines = [
        f"### {words['strengths']}",
        "",
        f"| {words['system']} | Elo | {words['columns'][2]} |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {_cell(one.system)} | {one.elo.mean:.0f} | {one.elo.low:.0f} – {one.elo.high:.0f} |" for one in found]
    return "\n".join(lines)


def bill(tally: Tally, settings: JudgeSettings, language: str = "en") -> str:
    """What a run took, in one line; only what was asked now costs."""
    cost = f": {settings.cost(tally.read, tally.written):.4f} {settings.currency}" if settings.priced else ""
    return str(WORDS[language]["bill"]).format(**asdict(tally), cost=cost)


def plain(one: Compared) -> dict[str, Any]:
    """The comparison as JSON takes it."""
    return asdict(one)


def _share(name: str, found: Interval | None, absent: str) -> tuple[str, str, str]:
    if found is None:
        return name, absent, ""
    few = f" (n = {found.n})" if found.few else ""
    return name, f"{found.mean:.1%}", f"{found.low:.1%} – {found.high:.1%}{few}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
