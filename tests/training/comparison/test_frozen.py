"""One frozen split for all methods, whatever the source holds."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from storage.contracts import Turn
from storage.presets import Presets
from training.comparison import frozen
from training.data import sets
from training.data.rows import Answer, Feedback, Pair, Row, dump
from training.recipes import RecipeError


def answer(prompt: str, text: str, emotion: str | None = "joy") -> Answer:
    return Answer(prompt=(Turn(role="user", text=prompt),), answer=text, emotion=emotion)


def pair(prompt: str) -> Pair:
    return Pair(prompt=(Turn(role="user", text=prompt),), chosen="хорошо", rejected="плохо", emotion="joy")


def write(folder: Path, train: Sequence[Row], held_out: Sequence[Row]) -> str:
    sets.write(folder, train, held_out, {})
    return str(folder)


def test_pairs_are_made_of_answers_in_different_emotions(tmp_path: Path, presets: Presets) -> None:
    rows = [answer("а", "ура"), answer("а", "эх", "sadness"), answer("б", "одна"), answer("в", "просто", None)]
    data = write(tmp_path / "set", rows, [answer("г", "да"), answer("г", "нет", "anger")])
    found = frozen.freeze(data, None, tmp_path / "frozen", presets)
    assert not isinstance(found.pairs, str)
    assert [(one.emotion, one.chosen, one.rejected) for one in found.pairs.train(Pair)] == [
        ("joy", "ура", "эх"),
        ("sadness", "эх", "ура"),
    ]
    assert {one.prompt[0].text for one in found.pairs.held_out(Pair)} == {"г"}
    assert len(list(found.answers.train(Answer))) == 4


def test_answers_of_pairs_are_the_better_ones(tmp_path: Path, presets: Presets) -> None:
    data = write(tmp_path / "set", [pair("а"), pair("б")], [pair("в")])
    found = frozen.freeze(data, None, tmp_path / "frozen", presets)
    assert [one.answer for one in found.answers.train(Answer)] == ["хорошо", "хорошо"]
    assert [one.prompt[0].text for one in found.answers.held_out(Answer)] == ["в"]
    assert found.folder("pairs") == tmp_path / "frozen" / "pairs"


def test_where_there_are_no_pairs_methods_that_need_them_are_told_why(tmp_path: Path, presets: Presets) -> None:
    data = write(tmp_path / "set", [answer("а", "ура")], [answer("б", "да")])
    found = frozen.freeze(data, None, tmp_path / "frozen", presets)
    with pytest.raises(RecipeError, match="give a set of pairs with --pairs"):
        found.folder("pairs")
    given = frozen.freeze(data, write(tmp_path / "more", [pair("в")], [pair("г")]), tmp_path / "frozen", presets)
    assert given.folder("pairs") is not None


def test_the_split_stays_frozen_when_the_source_changes(tmp_path: Path, presets: Presets) -> None:
    data = write(tmp_path / "set", [answer("а", "ура")], [answer("б", "да")])
    before = frozen.freeze(data, None, tmp_path / "frozen", presets).about()
    write(tmp_path / "set", [answer("другое", "ура")], [answer("б", "да")])
    assert frozen.freeze(data, None, tmp_path / "frozen", presets).about() == before


def test_fewer_rows_are_among_more_rows_and_held_out_ones_stay(tmp_path: Path) -> None:
    rows: list[Row] = [answer(f"вопрос {place}", "да") for place in range(30)]
    whole = sets.write(tmp_path / "answers", rows, [answer("в стороне", "да")], {})
    some, more = frozen.fewer(whole, 5), frozen.fewer(whole, 12)
    small, large = ([dump(one) for one in one.train(Answer)] for one in (some, more))
    assert len(small) == 5
    assert set(small) < set(large)
    assert [dump(one) for one in some.held_out(Answer)] == [dump(one) for one in whole.held_out(Answer)]


def test_other_kinds_of_rows_are_refused(tmp_path: Path, presets: Presets) -> None:
    thumb = Feedback(prompt=(Turn(role="user", text="а"),), answer="да", desirable=True)
    data = write(tmp_path / "set", [thumb], [])
    with pytest.raises(RecipeError, match="answers or pairs, the set has rows of kind 'feedback'"):
        frozen.freeze(data, None, tmp_path / "frozen", presets)
