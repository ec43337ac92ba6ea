"""Nothing held out is learned from: no person, no prompt, no dialogue stands on both sides."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.contracts import Turn
from storage.presets import load_presets
from tests.training.steps.conftest import Apply
from training.data.data_recipe import Split
from training.data.rows import Answer, Dialogue, Row
from training.data.splitting import Splitter
from training.data.steps.answers import Answers
from training.data.steps.part import Context
from training.data.steps.texts import fold


def parted(rows: list[Any], **split: Any) -> tuple[list[Any], list[Any], dict[str, int]]:
    with TemporaryDirectory() as work:
        splitter = Splitter(Split.model_validate({"near": None} | split), Context(load_presets(), 0, Path(work)))
        train = list(splitter.train(iter(rows)))
        held_out = list(splitter.held_out())
        splitter.close()
        return train, held_out, dict(splitter.counts)


people = st.sampled_from(["", "анна", "Анна", "пётр", "u1", "u2", "u3", "u4"])
prompts = st.sampled_from(["Привет", "привет!", "Как дела?", "Что нового", "Ну и ну", "Пока", "Где ты?", "Поехали"])
some_rows = st.lists(st.tuples(people, prompts, st.integers(0, 5)), max_size=60)


@settings(max_examples=80, deadline=None)
@given(some_rows, st.sampled_from(["person", "prompt"]), st.sampled_from([0.1, 0.3, 0.6]))
def test_no_person_and_no_prompt_is_on_both_sides(drawn: list[tuple[str, str, int]], by: str, share: float) -> None:
    rows = [
        Answer(prompt=(Turn(role="user", text=prompt),), answer=f"ответ {number}", person=person)
        for person, prompt, number in drawn
    ]
    train, held_out, counts = parted(rows, by=by, held_out=share)
    assert len(train) + len(held_out) + sum(counts.values()) == len(rows)
    assert not {fold(row.prompt[0].text) for row in train} & {fold(row.prompt[0].text) for row in held_out}
    assert not {fold(row.person) for row in train if row.person} & {fold(row.person) for row in held_out}


def test_about_the_share_asked_for_is_held_out_and_more_later_changes_no_side(seed_answers: list[Answer]) -> None:
    train, held_out, counts = parted(seed_answers, by="prompt")
    assert not counts
    assert len(held_out) == pytest.approx(0.1 * len(seed_answers), rel=0.3)
    learned = {row.origin for row in train}
    assert all(row.origin in learned for row in parted(seed_answers[:1000], by="prompt")[0])


def test_persons_are_held_out_whole(seed_answers: list[Answer]) -> None:
    rows = [row.model_copy(update={"person": f"u{place // 20}"}) for place, row in enumerate(seed_answers[:2000])]
    train, held_out, _ = parted(rows, by="person")
    assert held_out and not {row.person for row in train} & {row.person for row in held_out}


def test_persons_may_be_shared_when_the_recipe_says_so(seed_answers: list[Answer]) -> None:
    rows = [row.model_copy(update={"person": "одна"}) for row in seed_answers[:500]]
    assert not parted(rows, by="prompt")[1]
    assert parted(rows, by="prompt", persons="shared")[1]


def test_answers_cut_from_one_dialogue_stay_together(seed_answers: list[Answer], apply: Apply) -> None:
    lines = [row.answer for row in seed_answers[:600]]
    talks: list[Row] = [
        Dialogue(
            turns=tuple(
                Turn.model_validate({"role": ("user", "assistant")[place % 2], "text": line})
                for place, line in enumerate(lines[start : start + 6])
            )
        )
        for start in range(0, 600, 6)
    ]
    rows, _ = apply(Answers(window=1), talks)
    train, held_out, _ = parted(rows, by="prompt", held_out=0.3)
    assert len(train) % 3 == 0 and len(held_out) % 3 == 0 and held_out
    assert not {row.tags["dialogue"] for row in train} & {row.tags["dialogue"] for row in held_out}


def asked(*prompts: str) -> list[Answer]:
    return [Answer(prompt=(Turn(role="user", text=prompt),), answer="Комедию") for prompt in prompts]


def test_near_duplicate_prompts_stay_on_one_side_of_the_split() -> None:
    prompt = "Посоветуй, пожалуйста, какой хороший фильм посмотреть вечером с друзьями и с пиццей"
    alike = asked(*(f"{prompt}{tail} {mark}" for tail in ("", " ну") for mark in "абвгдежз"))
    others = asked(*(f"{subject}?" for subject in ("Где кот", "Куда ушёл поезд", "Кто там", "Что на обед", "Чей дом")))
    train, held_out, counts = parted([*alike, *others], by="prompt", held_out=0.4, near=0.7)
    beside = parted([*alike, *others], by="prompt", held_out=0.4)[1]
    assert [row for row in train if row in alike] and [row for row in held_out if row in others]
    assert not [row for row in held_out if row in alike]
    assert counts == {"dropped_near_prompt": len(beside) - len(held_out)} and len(beside) > len(held_out)


def test_a_held_out_prompt_like_one_that_is_itself_like_an_earlier_one_is_found() -> None:
    first = "Расскажи мне про то, как весной на реке вскрывается лёд и плывут большие белые льдины мимо города"
    second = f"{first} к далёкому тёплому морю"
    third = f"{second} под крики голодных чаек"
    rows = [
        row.model_copy(update={"tags": {"split": side}})
        for row, side in zip(asked(first, second, third), ("train", "train", "held_out"), strict=True)
    ]
    assert parted([rows[0], rows[2]], by="tag", near=0.72)[2] == {}
    assert parted(rows, by="tag", near=0.72)[2] == {"dropped_near_prompt": 1}


def test_a_split_that_rows_bring_is_kept_and_leaks_are_still_dropped() -> None:
    def row(prompt: str, split: str) -> Answer:
        return Answer(prompt=(Turn(role="user", text=prompt),), answer="ответ", tags={"split": split} if split else {})

    rows = [row("а", "train"), row("б", "held_out"), row("в", ""), row("А!", "held_out")]
    train, held_out, counts = parted(rows, by="tag", held_out=0.1)
    assert (train, held_out, counts) == ([rows[0], rows[2]], [rows[1]], {"dropped_same_prompt": 1})
