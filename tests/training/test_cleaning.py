import pytest

from training.data import cleaning


@pytest.mark.parametrize(
    "text",
    [
        "Колебаний нет, не надо разгребать.",
        "Серо-голубой свитер не рифмуется.",
        "Жидкость негромко булькала.",
        "Он член семьи.",
    ],
)
def test_decent_words_with_rude_letters_inside_are_kept(text: str) -> None:
    assert cleaning.teachable(text)


@pytest.mark.parametrize(
    "text", ["Ты что, охренел, сука?", "Читай <URL>", "Hello there, дружище", "Я ВСЕМ ОТПРАВЛЮ", "12345 67 89", "?"]
)
def test_unfit_lines_are_dropped(text: str) -> None:
    assert not cleaning.teachable(cleaning.tidy(text))


def test_tidy_makes_one_typography() -> None:
    assert cleaning.tidy("- Ну ,  “да” - конечно...") == "Ну, «да» — конечно…"


def test_a_dialogue_ends_before_its_first_unfit_turn() -> None:
    assert cleaning.usable_dialogue(["Привет.", "Здравствуй.", "см. <URL>", "Ага."]) == ["Привет.", "Здравствуй."]
    assert cleaning.usable_dialogue(["Привет.", "см. <URL>"]) == []


def test_a_scene_is_cut_into_dialogues() -> None:
    scene = [f"Реплика номер {word}." for word in ("раз", "два", "три", "четыре", "пять")]
    assert [len(part) for part in cleaning.windows(scene, size=3)] == [3, 2]
