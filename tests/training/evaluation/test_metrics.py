import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from tests.training.evaluation.answers import different, sample
from training.evaluation.metrics import METRICS, Absent, Options, columns, measure
from training.evaluation.metrics.acceptability import sentences
from training.evaluation.metrics.form import repetition
from training.evaluation.metrics.rouge import by_line
from training.evaluation.metrics.words import Tokenizer, words
from training.recipes import RecipeError

CYRILLIC = "Сегодня хорошая погода, пойдём гулять в парк."


def value(name: str, column: str, answer: str, reference: str | None = None, **options: object) -> float | None:
    found = measure([sample(answer, reference)], [name], Options.model_validate(options))[column]
    assert not isinstance(found, Absent)
    return found[0]


@pytest.mark.parametrize("kind", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
def test_rouge_tells_identical_russian_texts_from_disjoint_ones(kind: str) -> None:
    assert value("rouge", kind, CYRILLIC, CYRILLIC) == 1.0
    assert value("rouge", kind, "Вчера шёл дождь!", CYRILLIC) == 0.0
    assert value("rouge", kind, "", CYRILLIC) == 0.0
    assert value("rouge", kind, CYRILLIC) is None


def test_the_packages_own_tokenizer_would_get_both_wrong() -> None:
    broken = RougeScorer(["rouge1"])
    assert broken.score(CYRILLIC, CYRILLIC)["rouge1"].fmeasure == 0.0
    assert broken.score("В 2024 году построили мост", "Книга 2024 стоит дорого")["rouge1"].fmeasure == 1.0
    assert value("rouge", "rouge1", "Книга 2024 стоит дорого", "В 2024 году построили мост") == pytest.approx(2 / 9)


def test_rouge_by_hand() -> None:
    # Three of four words of the answer, three of five of the reference: 2 · 0.75 · 0.6 / 1.35.
    assert value("rouge", "rouge1", "мама мыла белую раму", "мама вчера мыла раму дома") == pytest.approx(2 / 3)
    assert value("rouge", "rougeL", "раму мыла мама", "мама мыла раму") == pytest.approx(1 / 3)


def test_english_scores_are_the_packages_own() -> None:
    answer, reference = "The quick brown fox doesn't jump over 2 dogs.", "A quick dog doesn't jump over the brown fox"
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(reference, answer)
    for kind, score in theirs.items():
        assert value("rouge", kind, answer, reference) == pytest.approx(score.fmeasure)
    stemmed = RougeScorer(["rouge1"], use_stemmer=True).score("running dogs", "run dog")["rouge1"].fmeasure
    assert value("rouge", "rouge1", "run dog", "running dogs", stem=True) == stemmed == 1.0


def test_stems_forgive_endings_only_where_asked() -> None:
    assert value("rouge", "rouge1", "красивые дома", "красивый дом") == 0.0
    assert value("rouge", "rouge1", "красивые дома", "красивый дом", stem=True) == 1.0
    assert Tokenizer(stem=True).tokenize("радостью")[0] == Tokenizer(stem=True).tokenize("Радость")[0]


def test_sentences_make_a_difference_for_lsum_alone() -> None:
    answer, reference = "Дождь идёт. Кот спит.", "Кот спит. Дождь идёт."
    assert by_line(answer) == "Дождь идёт.\n Кот спит.\n"
    assert value("rouge", "rougeLsum", answer, reference) == 1.0
    assert value("rouge", "rougeL", answer, reference) == 0.5


def test_one_word_written_in_two_ways_is_one() -> None:
    assert words("Ещё Йод") == words(unicodedata.normalize("NFD", "еще ЙОД"))
    assert words("снейк_кейс, 3-й") == ["снейк", "кейс", "3", "й"]


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="абвгд её.!", max_size=40), st.text(alphabet="абвгд её.!", max_size=40))
def test_scores_stay_in_their_range_and_a_text_is_most_like_itself(one: str, other: str) -> None:
    for name, column, top in (("rouge", "rouge1", 1.0), ("rouge", "rougeLsum", 1.0), ("chrf", "chrf", 100.0)):
        found = value(name, column, one, other)
        itself = value(name, column, other, other)
        assert found is None or itself is None or 0 <= found <= itself + 1e-9 <= top + 1e-6


def test_chrf_costs_an_ending_little_and_another_word_much() -> None:
    assert value("chrf", "chrf", CYRILLIC, CYRILLIC) == pytest.approx(100.0)
    close = value("chrf", "chrf", "красивые дома", "красивый дом")
    far = value("chrf", "chrf", "жёлтый автобус", "красивый дом")
    assert close is not None and far is not None and close > 55 > 20 > far
    plus = value("chrf", "chrf++", "красивые дома", "красивый дом")
    assert plus is not None and plus < close  # whole words count there too
    assert value("chrf", "chrf", "да", None) is None


def test_faults_are_those_that_serving_would_not_send() -> None:
    texts = ["", "!!!", "Я так рад, я так рад, я так рад, я так рад!", "Обычный ответ на вопрос."]
    found = measure(different(texts), ["faults"])
    assert found["empty"] == [1.0, 1.0, 0.0, 0.0]
    assert found["looping"] == [0.0, 0.0, 1.0, 0.0]


def test_repetition_counts_runs_of_three_words_seen_before() -> None:
    assert repetition("один два три четыре") == 0.0
    assert repetition("а б в а б в") == pytest.approx(1 / 4)
    assert repetition("да нет") is None


def test_distinct_and_shared_by_hand() -> None:
    found = measure(different(["так так и так", "мне очень грустно", "мне очень весело", ""]), ["diversity"])
    assert found["distinct1"] == [0.5, 1.0, 1.0, None]
    assert found["distinct2"] == [pytest.approx(1.0), 1.0, 1.0, None]
    assert found["shared2"] == [0.0, 0.5, 0.5, None]


def test_answers_to_one_message_may_share_its_words() -> None:
    same = [sample("на море тепло", asked="Едем на море?", key=key, emotion=key) for key in ("joy", "fear")]
    assert measure(same, ["diversity"])["shared2"] == [0.0, 0.0]


def test_length_leaves_out_what_was_not_counted() -> None:
    counted, uncounted = sample("Два слова", tokens=5, finished=False), sample("Два слова")
    found = measure([counted, uncounted], ["length"])
    assert found["tokens"] == [5.0, None]
    assert found["words"] == [2.0, 2.0]
    assert found["finished"] == [0.0, 1.0]


@pytest.mark.parametrize("name", ["bertscore", "bleurt", "acceptability"])
def test_what_needs_a_model_is_absent_without_one_and_never_zero(name: str, tmp_path: Path) -> None:
    for option in ({}, {name: str(tmp_path / "such-model")}):
        found = measure([sample("да", "да")], [name], Options.model_validate(option))
        (only,) = (found[column.name] for column in METRICS[name].columns)
        assert isinstance(only, Absent)
        assert "not available" in str(only)
        assert ("such-model" in only.reason) == bool(option)


def test_a_missing_package_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.chrf", None)
    found = measure([sample("да", "да")], ["chrf", "length"])
    assert isinstance(found["chrf"], Absent)
    assert "pip install sacrebleu" in found["chrf"].reason
    assert found["words"] == [1.0]


def test_an_unknown_metric_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match="no metric 'meteor', only rouge, chrf"):
        measure([sample("да")], ["meteor"])


def test_every_metric_fills_its_columns() -> None:
    names = [column.name for column in columns(METRICS)]
    assert len(set(names)) == len(names)
    assert set(measure([sample("Всё хорошо.", "Всё отлично.")], METRICS)) == set(names)


def test_only_sentences_with_words_in_them_are_judged() -> None:
    assert sentences("Ну да… А! Он ушёл домой? «Вот это да!»") == ["Ну да…", "Он ушёл домой?", "«Вот это да!»"]
