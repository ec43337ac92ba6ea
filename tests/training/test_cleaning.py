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


@pytest.mark.parametrize(
    "words",
    [
        "уёбище проёб отъебись доебись ебёт мозгоёб мудозвон отмудохать блять сучара сукин пидр просрать обоссал ссыт",
        "отсоси падла шалава мразь сволочь ублюдок выродок чмо лошара дебил херня нахер хули задрот хитрожопый еб",
    ],
)
def test_profanity_is_known_by_its_roots_and_prefixes(words: str) -> None:
    assert [word for word in words.split() if not cleaning.profane(word)] == []


@pytest.mark.parametrize(
    "words",
    [
        "требует небо себе хлеб погреб мебель ребёнок стебель колеблется мудрый сумма ссылка ссадина ссора рассада",
        "херувим хохлома хохолок хачапури трахея жиденько Джоплин мандарин команда целковый чмокнул срам собрал",
    ],
)
def test_decent_words_of_the_same_letters_are_not_profane(words: str) -> None:
    assert [word for word in words.split() if cleaning.profane(word)] == []
