"""Rows about something else: the forms agree, nothing else changes, and the split is the message's own."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import pytest

from storage.contracts import Turn
from training.data import seed_corpus, seed_swaps

pytest.importorskip("pymorphy3")

WORDS = (
    "собака корова соседка кошка подруга сестра лошадь бабушка "
    "стол топор чайник телефон диван зонт велосипед сварил купил починил потерял нашёл"
)


@cache
def swapper() -> seed_swaps.Swapper:
    return seed_swaps.Swapper([WORDS], least=1)


def row(message: str, reply: str) -> seed_corpus.SeedRow:
    turns = (Turn(role="user", text=message),)
    return seed_corpus.SeedRow("test.txt", 1, "питомцы", "ты", turns, "радость", 2, reply)


def test_noun_takes_the_case_and_number_of_the_one_it_replaces() -> None:
    given = row("Моя собака сгрызла диван", "Ох уж эти собаки! Купи собаке кость.")
    changed = swapper()._exchanged(given, swapper().read("собака")._replace(grammemes=frozenset()), "корова")  # type: ignore[union-attr]
    assert changed is not None
    assert changed.turns[0].text == "Моя корова сгрызла диван"
    assert changed.reply == "Ох уж эти коровы! Купи корове кость."


def test_verb_takes_tense_person_and_gender() -> None:
    given = row("Я потеряла телефон", "Как потеряла? Все теряют. Потеряют и вернут!")
    verb = swapper().read("потеряла")
    assert verb is not None
    changed = swapper()._exchanged(given, verb._replace(grammemes=frozenset()), "купить")
    assert changed is not None
    assert (changed.turns[0].text, changed.reply) == ("Я купила телефон", "Как купила? Все теряют. Купят и вернут!")


def test_a_noun_that_is_an_infinitive_too_stands_in_as_a_noun() -> None:
    given = row("Моя кошка спит", "Пусть кошка спит, кошку не буди.")
    cat = swapper().read("кошка")
    assert cat is not None
    assert swapper()._formed("печь", "NOUN", ("femn", "inan"), frozenset({"NOUN", "sing", "ablt"})) == "печью"
    assert swapper()._exchanged(given, cat._replace(grammemes=frozenset()), "печь") is None


def test_only_what_both_speak_of_is_exchanged() -> None:
    given = row("Телефон упал на стол", "Бедный телефон! Зато кошка цела.")
    assert [one.lemma for one in swapper().shared(given)] == ["телефон"]
    for seed in range(20):
        changed = swapper().swapped(given, random.Random(seed))
        assert changed is not None
        new = changed.reply.removeprefix("Бедный ").split("!")[0]
        assert new != "телефон" and changed.turns[0].text == f"{new.capitalize()} упал на стол"
        assert changed.reply == f"Бедный {new}! Зато кошка цела."


def test_rows_that_share_nothing_are_left_out() -> None:
    apart = row("Как дела?", "Отлично, гуляю.")
    assert swapper().swapped(apart, random.Random(0)) is None
    assert list(seed_swaps.variants([apart], swapper(), 3, 0)) == []


def test_split_stays_that_of_the_message_as_written() -> None:
    train = [one for one in seed_corpus.load() if "телефон" in one.message.lower()]
    for given in train[:50]:
        for changed in seed_swaps.variants([given], swapper(), 3, 0):
            assert changed.held_out == given.held_out
            assert (changed.emotion, changed.intensity) == (given.emotion, given.intensity)


def test_words_of_the_same_file_come_first() -> None:
    pets = [row(f"{one} спит", f"Тихо, {one.lower()}!") for one in ("Кошка", "Корова", "Лошадь")]
    home = replace(row("Подруга звонит", "Какая подруга?"), source="home.txt")
    own = seed_swaps.Swapper([WORDS], least=1, rows=(*pets, home))
    chooser = random.Random(1)
    said = [one.turns[0].text for one in (own.swapped(pets[0], chooser) for _ in range(80)) if one]
    assert 0.6 < sum(text in ("Корова спит", "Лошадь спит") for text in said) / 80 < 0.95
    assert set(said) > {"Корова спит", "Лошадь спит"} and "Кошка спит" not in said
    # Too few are spoken of there: a word from anywhere.
    assert all(own.swapped(home, chooser) for _ in range(20))


def test_same_seed_same_rows() -> None:
    given = [row("Собака спит", "Пусть собака тоже!"), row("Стол шатается", "Почини стол.")]
    twice = [list(seed_swaps.variants(given, swapper(), 3, seed=4)) for _ in range(2)]
    assert twice[0] == twice[1] and len(twice[0]) == 6
    assert twice[0] != list(seed_swaps.variants(given, swapper(), 3, seed=5))


def test_dialogue_before_is_changed_with_it() -> None:
    before = (Turn(role="user", text="Купил диван"), Turn(role="assistant", text="Хороший диван?"))
    given = replace(row("", "Диван — это навсегда."), turns=(*before, Turn(role="user", text="Диван так себе")))
    changed = swapper().swapped(given, random.Random(2))
    assert changed is not None
    assert not any("диван" in text.lower() for text in (*(turn.text for turn in changed.turns), changed.reply))
