"""What a freeze found, for people: rows by kind, what was dropped and why, in Russian or English. Pure.

Knows the counts of `FeedbackSets` only; which method they are enough for is the refit's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from storage.contracts import DataSummary

Language = Literal["ru", "en"]

KINDS = {
    "feedback": ("оценок 👍 и 👎", "thumbs"),
    "pairs": ("пар «лучше — хуже»", "pairs"),
    "reward": ("пар для модели предпочтений", "pairs for preference models"),
    "answers": ("исправлений и ответов на 5 звёзд", "corrections and five-star answers"),
    "ai_pairs": ("пар по классификатору (не смешиваются с остальными)", "pairs by the classifier (never mixed in)"),
}
REASONS = {
    "bad_line": ("строки файла с ошибками", "lines with faults"),
    "duplicate_entry": ("записи, которые уже были", "entries that were there before"),
    "withdrawn": ("сообщения, взятые назад или с признаками кризиса", "turns taken back, or of a crisis"),
    "request_forgotten": ("диалог удалён по /forget", "dialogues removed by /forget"),
    "unknown_speakers": ("не ясно, кто говорит в группе", "unknown speakers in a group"),
    "no_consent_of_speaker": ("нет согласия участника диалога", "a speaker has not agreed"),
    "no_consent_of_rater": ("нет согласия оценившего", "the rater has not agreed"),
    "unusable": ("записи в незнакомом виде", "entries of an unknown shape"),
    "no_such_preset": ("такой эмоции больше нет", "there is no such preset any more"),
    "crisis": ("сообщения о суициде или самоповреждении", "messages of suicide or self-harm"),
    "contradicts_itself": ("человек противоречит сам себе", "the person contradicts themselves"),
    "other_prompt_or_emotion": ("сравнение разных вопросов или эмоций", "another prompt or emotion was compared"),
    "passed_by": ("вариант пролистали, но не выбрали", "variants leafed through, not chosen"),
    "same_answers": ("ответы одинаковы", "both answers are the same"),
    "classifier_unsure": ("классификатор не видит разницы", "the classifier sees no difference"),
    "profane": ("брань", "profanity"),
    "mixed_split": ("люди по обе стороны деления", "people on both sides of the split"),
    "empty": ("пустой ответ", "empty answers"),
    "looping": ("ответ зациклился", "looping answers"),
    "markup": ("обрывки разметки", "broken markup"),
    "echo": ("ответ повторяет вопрос", "answers that echo the question"),
    "rater_left_out": ("человек оценивает наоборот", "inverted raters"),
    "one_sided": ("однообразные оценки одного человека", "one-sided judgements of one person"),
    "disputed": ("мнения разделились", "raters disagree"),
    "repeated": ("повторы", "repetitions"),
    "person_cap": ("слишком много от одного человека", "too much of one person"),
    "class_balance": ("перевес 👍 или 👎", "too many of one thumb"),
    "much_longer": ("лучший ответ намного длиннее", "much longer chosen answers"),
    "length_balance": ("перевес по длине", "too many of one length"),
    "same_prompt": ("вопрос есть среди обучающих", "prompts that are learned from"),
    "too_few": ("слишком мало для набора", "too few for a set"),
}


def to_summary(counts: Mapping[str, Any], *, ratings: int | None = None) -> DataSummary:
    """For the admins' panel: `counts` of FeedbackSets; `ratings`: those since the last refit, if that is known.

    Method and reasons are the refit's to add.
    """
    thumbs = counts["thumbs"]
    rows = {name: count for name, count in counts["rows"].items() if name != "feedback"}
    rows |= {"liked": thumbs["desirable"], "disliked": thumbs["undesirable"]}
    return DataSummary(rows=rows, people=counts["people"], ratings=counts["ratings"] if ratings is None else ratings)


def lines(counts: Mapping[str, Any], language: Language = "ru") -> list[str]:
    """The counts as text, a line each."""
    which = 0 if language == "ru" else 1
    found = [_head(counts, language)]
    for name, titles in KINDS.items():
        rows, held = counts["rows"][name], counts["held_out"][name]
        out = f" (и {held} отложено)" if language == "ru" else f" (and {held} held out)"
        found.append(f"{titles[which]}: {rows}{out if held else ''}")
    left = {**counts["left_out_on_reading"]}
    found += _reasons("Не прочитано" if language == "ru" else "Left out on reading", left, which)
    found += _reasons("Ничему не учит" if language == "ru" else "Teaches nothing", counts["taught_nothing"], which)
    for name, titles in KINDS.items():
        dropped: Counter[str] = Counter()
        for step in counts["steps"][name]:
            dropped.update(step.get("dropped", {}))
        found += _reasons(("Отсеяно: " if language == "ru" else "Dropped, ") + titles[which], dropped, which)
    if counts["scrubbed"]:
        total = sum(counts["scrubbed"].values())
        found.append(f"Скрыто личных данных: {total}" if language == "ru" else f"Personal data replaced: {total}")
    return found


def _head(counts: Mapping[str, Any], language: Language) -> str:
    ratings, people, out = counts["ratings"], counts["people"], counts["raters_left_out"]
    if language == "ru":
        return f"Оценок: {ratings}, людей в наборах: {people}, не учтено оценивающих наоборот: {out}"
    return f"Ratings: {ratings}, people in the sets: {people}, inverted raters left out: {out}"


def _reasons(title: str, dropped: Mapping[str, int], which: int) -> list[str]:
    parts = [
        f"{REASONS.get(name, (name, name))[which]} {count}"
        for name, count in sorted(dropped.items(), key=lambda one: (-one[1], one[0]))
        if count
    ]
    return [f"{title}: {', '.join(parts)}"] if parts else []
