"""What the gate says of each check, for an admin without statistics: Russian, with English beside. Knows no rule.

Shares are told as answers in a hundred. «С поправкой на случай» is the bound: what is left if chance was kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Said = tuple[str, str]

CLAIMS: Mapping[str, Said] = {
    "emotion_hit": (
        "Попадание в эмоцию: {candidate} из 100 ответов, было {incumbent}",
        "Emotion hit: {candidate} in 100 answers, was {incumbent}",
    ),
    "preference": (
        "Модель предпочтений: новые ответы нравятся ей больше в {candidate} случаях из 100 (поровну – 50)",
        "Preference model: likes the new answer more in {candidate} of 100 cases (even is 50)",
    ),
    "judge": (
        "Судья: новые ответы лучше в {candidate} случаях из 100 (поровну – 50)",
        "Judge: the new answer is better in {candidate} of 100 cases (even is 50)",
    ),
}
HARMS: Mapping[str, Said] = {
    "faults": (
        "Пустые и зацикленные ответы: {candidate} из 100, было {incumbent}",
        "Empty and looping answers: {candidate} in 100, was {incumbent}",
    ),
    "profanity": (
        "Ответы с бранью и запретными темами: {candidate} из 100, было {incumbent}",
        "Answers with profanity and forbidden subjects: {candidate} in 100, was {incumbent}",
    ),
    "repetition": (
        "Повторы внутри ответа: {candidate} % троек слов, было {incumbent} %",
        "Repetition within an answer: {candidate} % of runs of three words, was {incumbent} %",
    ),
}
NAMES: Mapping[str, Said] = {
    "emotion_hit": ("попадание в эмоцию", "emotion hit"),
    "preference": ("сравнение моделью предпочтений", "comparison by the preference model"),
    "judge": ("сравнение судьёй", "comparison by the judge"),
    "perplexity": ("проверка на забывание", "the check of forgetting"),
}


def number(value: float, digits: int = 1) -> Said:
    """A number in both spellings, without trailing zeros: («3,5», «3.5»)."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    text = "0" if text == "-0" else text.replace("-", "−")
    return text.replace(".", ","), text


def hundred(share: float, signed: bool = False) -> Said:
    """A share as so many in a hundred; signed ones with a plus."""
    ru, en = number(100 * share)
    plus = "+" if signed and share > 0 and ru != "0" else ""
    return plus + ru, plus + en


def fill(template: Said, **given: Said | str | int) -> Said:
    """Both templates with their own spelling of every value."""
    told = [
        template[side].format(
            **{name: value[side] if isinstance(value, tuple) else value for name, value in given.items()}
        )
        for side in (0, 1)
    ]
    return told[0], told[1]


def shares(name: str, incumbent: float, candidate: float) -> Said:
    """The first half of a check's sentence: what was counted."""
    return fill({**CLAIMS, **HARMS}[name], candidate=hundred(candidate), incumbent=hundred(incumbent))


def gained(bound: float, equal: float) -> Said:
    """A claim that holds."""
    template = (
        ". Лучше: с поправкой на случай не меньше чем на {bound} из 100, при равной длине ответов – на {equal}.",
        ". Better: by at least {bound} in 100 allowing for chance, by {equal} where answers are equally long.",
    )
    return fill(template, bound=hundred(bound), equal=hundred(equal))


def not_gained(bound: float) -> Said:
    """A claim that chance could explain."""
    template = (
        ". Не доказано, что лучше: с поправкой на случай {bound} из 100, а нужно больше нуля.",
        ". Not shown to be better: {bound} in 100 allowing for chance, more than zero is needed.",
    )
    return fill(template, bound=hundred(bound, signed=True))


def longer_only(equal: float | None) -> Said:
    """A claim that holds for longer answers alone, or that cannot be told from length (None)."""
    if equal is None:
        return (
            ". Не доказано, что лучше: одни ответы почти всегда длиннее, и «лучше» не отличить от «длиннее».",
            ". Not shown to be better: one side is longer nearly everywhere, so that better and longer look alike.",
        )
    template = (
        ". Не доказано, что лучше: при равной длине ответов преимущества нет (с поправкой на случай {equal} из 100).",
        ". Not shown to be better: no advantage where answers are equally long ({equal} in 100 allowing for chance).",
    )
    return fill(template, equal=hundred(equal, signed=True))


def kept(worse: float, margin: float, passed: bool, measure: Said = ("из 100", "in 100")) -> Said:
    """Whether something that must not get worse did not; `worse` and `margin` as shares."""
    if worse <= 0:
        return ". Хуже не стало.", ". No worse."
    template = (
        (
            ". Не хуже: даже если случай помог, потеря меньше {worse} {unit} (допустимо {margin}).",
            ". No worse: even if chance helped the loss is below {worse} {unit} (allowed: {margin}).",
        )
        if passed
        else (
            ". Возможно, хуже: потеря может доходить до {worse} {unit}, а допустимо {margin}.",
            ". May be worse: the loss may reach {worse} {unit}, allowed are {margin}.",
        )
    )
    return fill(template, worse=hundred(worse), margin=hundred(margin), unit=measure)


def few(what: Said, n: int, least: int) -> Said:
    """Too little to judge by."""
    template = (
        "Слишком мало данных, чтобы судить: {what} – {n}, нужно хотя бы {least}.",
        "Too little to judge by: {what} – {n}, at least {least} are needed.",
    )
    return fill(template, what=what, n=n, least=least)


def unmeasured(names: Sequence[str], last: bool = False) -> Said:
    """What had to be measured and was not; with `last`, any one of the names would have done."""
    if not names:
        return "Всё нужное измерено.", "All that is needed was measured."
    ru, en = (", ".join(NAMES[one][side] for one in names) for side in (0, 1))
    return (
        (
            f"Не измерено ничто из этого, а нужно хотя бы одно: {ru}.",
            f"None of these was measured, one is needed: {en}.",
        )
        if last
        else (f"Не измерено: {ru}.", f"Not measured: {en}.")
    )


def enough(what: Said, n: int) -> Said:
    """Enough to judge by."""
    return fill(("Данных достаточно: {what} – {n}.", "Enough to judge by: {what} – {n}."), what=what, n=n)


def since_the_first(said: Said) -> Said:
    """The same sentence of a comparison with the version that the slot began with."""
    return f"По сравнению с исходной версией. {said[0]}", f"Against the first version. {said[1]}"


def plus(head: Said, tail: Said) -> Said:
    """One sentence of two halves."""
    return head[0] + tail[0], head[1] + tail[1]


def any_better(shown: bool) -> Said:
    """Whether there is anything to promote for."""
    if shown:
        return "Хотя бы в одном новая версия доказанно лучше.", "In something the new version is shown to be better."
    return "Ни в чём не доказано, что новая версия лучше.", "In nothing is the new version shown to be better."


def crisis(before: int, now: int, passed: bool) -> Said:
    """Answers that speak of suicide."""
    head = fill(
        ("Ответы о самоубийстве: {now}, было {before}", "Answers that speak of suicide: {now}, were {before}"),
        now=now,
        before=before,
    )
    return plus(
        head, (". Больше не стало.", ". No more of them.") if passed else (". Стало больше.", ". More of them.")
    )


def length(before: float, now: float, worst: float, limit: float, passed: bool) -> Said:
    """How answers have grown; `worst` and `limit` as ratios."""
    head = fill(
        ("Длина ответа: {now} знаков, было {before}", "Length of an answer: {now} characters, was {before}"),
        now=number(now, 0),
        before=number(before, 0),
    )
    if passed:
        return plus(head, (". В меру.", ". Within bounds."))
    template = (
        ". Слишком длинно: рост может доходить до {worst} раза, допустимо меньше {limit}.",
        ". Too long: it may have grown up to {worst} times, less than {limit} is allowed.",
    )
    return plus(head, fill(template, worst=number(worst, 2), limit=number(limit, 2)))


def forgetting(growth: float, worst: float, limit: float, passed: bool) -> Said:
    """How much worse plain texts are foretold; all as shares."""
    ru, en = hundred(abs(growth))
    head = (
        f"Забывание языка: обычные тексты модель угадывает на {ru} % {'хуже' if growth > 0 else 'лучше'}",
        f"Forgetting: plain texts are {en} % {'more' if growth > 0 else 'less'} perplexing",
    )
    if worst <= 0:
        return plus(head, (". Ничего не забыто.", ". Nothing forgotten."))
    template = (
        (". В меру: с поправкой на случай до {worst} %, допустимо {limit} %.",
         ". Within bounds: up to {worst} % allowing for chance, {limit} % are allowed.")
        if passed
        else (". Забывает: с поправкой на случай до {worst} %, а допустимо {limit} %.",
              ". Forgets: up to {worst} % allowing for chance, {limit} % are allowed.")
    )  # fmt: skip
    return plus(head, fill(template, worst=hundred(worst), limit=hundred(limit)))


def presets(fallen: Mapping[str, float]) -> Said:
    """Single emotions that have fallen, by how much of 1."""
    if not fallen:
        return "Ни одна эмоция в отдельности заметно не просела.", "No single emotion has fallen noticeably."
    ru, en = (", ".join(f"{name} (−{hundred(drop)[side]})" for name, drop in fallen.items()) for side in (0, 1))
    return f"Просели отдельные эмоции, из 100 ответов: {ru}.", f"Single emotions have fallen, in 100 answers: {en}."


def sign(what: Said, incumbent: float, candidate: float, passed: bool) -> Said:
    """A sign of stuffing or collapse."""
    numbers = {"now": number(candidate, 2), "before": number(incumbent, 2)}
    template = (
        ("Не похоже, что {what} ({now}, было {before}).", "No sign that {what} ({now}, was {before}).")
        if passed
        else ("Похоже на обман проверок: {what} ({now}, было {before}).",
              "Looks like deceiving the checks: {what} ({now}, was {before}).")
    )  # fmt: skip
    return fill(template, what=what, **numbers)
