"""What is a verdict and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.judging.verdicts import Unparsable, parse

NAMES = ("relevance", "clarity")
GOOD = {"relevance": 1, "clarity": 0}


@pytest.mark.parametrize(
    "reply",
    [
        '{"relevance": 1, "clarity": 0}',
        '  {"clarity":0,"relevance":1}\n',
        '{"relevance": "1", "clarity": " 0 "}',
        '```json\n{"relevance": 1, "clarity": 0}\n```',
        'Моё решение: {"relevance": 1, "clarity": 0}. Надеюсь, это поможет!',
        '{"why": "первый точнее {и проще}", "relevance": 1, "clarity": 0}',
        '{"relevance": 1, "why": null, "clarity": 0}',
        '<think>{"relevance": 2, "clarity": 2}? Нет.</think>{"relevance": 1, "clarity": 0}',
        'Сначала казалось {"relevance": 2, "clarity": 2}</think>\n{"relevance": 1, "clarity": 0}',
        '{"relevance": 1, "clarity": 0}\n\n{"relevance": 1, "clarity": 0}',
        'Форма {"relevance": 0, 1 или 2}; ответ {"relevance": 1, "clarity": 0}',
        'Пустой {} и чужой {"a": 1}, но вот: {"relevance": 1, "clarity": 0}',
        '\ufeff{"relevance": 1, "clarity": 0}',
        '{{"relevance": 1, "clarity": 0}}',
        '{"relevance":\u00201,\n"clarity":\t0}<|im_end|>',
    ],
)
def test_a_verdict_is_read_whatever_stands_around_it(reply: str) -> None:
    assert parse(reply, NAMES) == GOOD


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "no JSON object"),
        ("Первый ответ лучше.", "no JSON object"),
        ("1", "no JSON object"),
        ("[1, 0]", "no JSON object"),
        ("null", "no JSON object"),
        ('{"relevance": 1, "clarity": 0', "no JSON object"),
        ("{'relevance': 1, 'clarity': 0}", "no JSON object"),
        ('{"relevance": 1, "clarity": 0,}', "no JSON object"),
        ('<think>{"relevance": 1, "clarity": 0}', "no JSON object"),
        ('<think>{"relevance": 1, "clarity": 0}</think>', "no JSON object"),
        ("{}", "without relevance, clarity"),
        ('{"relevance": 1}', "without clarity"),
        ('{"Relevance": 1, "clarity": 0}', "without relevance"),
        ('{"relevanсe": 1, "clarity": 0}', "without relevance"),  # a Cyrillic «с»
        ('{"relevance": 1, "clarity": 0, "style": 2}', "not asked for"),
        ('{"relevance": 3, "clarity": 0}', "relevance is neither"),
        ('{"relevance": -1, "clarity": 0}', "relevance is neither"),
        ('{"relevance": 1.0, "clarity": 0}', "relevance is neither"),
        ('{"relevance": 1.5, "clarity": 0}', "relevance is neither"),
        ('{"relevance": true, "clarity": false}', "relevance is neither"),
        ('{"relevance": null, "clarity": 0}', "relevance is neither"),
        ('{"relevance": NaN, "clarity": 0}', "relevance is neither"),
        ('{"relevance": [1], "clarity": 0}', "relevance is neither"),
        ('{"relevance": {"choice": 1}, "clarity": 0}', "relevance is neither"),
        ('{"relevance": "", "clarity": 0}', "relevance is neither"),
        ('{"relevance": "первый", "clarity": 0}', "relevance is neither"),
        ('{"relevance": "1 или 2", "clarity": 0}', "relevance is neither"),
        ('{"relevance": "А", "clarity": 0}', "relevance is neither"),
        ('{"relevance": "１", "clarity": 0}', "relevance is neither"),  # a full-width digit
        ('{"relevance": 1, "relevance": 2, "clarity": 0}', "told twice"),
        ('{"relevance": 1, "relevance": 1, "clarity": 0}', "told twice"),
        ('{"verdict": {"relevance": 1, "clarity": 0}}', "without relevance"),
        ('[{"relevance": 1, "clarity": 0}, {"relevance": 2, "clarity": 0}]', "differ"),
        ('{"relevance": 1, "clarity": 0} Хотя нет: {"relevance": 2, "clarity": 0}', "differ"),
        ('{"relevance": 10000000000000000000000, "clarity": 0}', "relevance is neither"),
    ],
)
def test_what_is_not_clearly_a_verdict_is_none(reply: str, why: str) -> None:
    with pytest.raises(Unparsable, match=why):
        parse(reply, NAMES)


def test_hostile_nesting_and_length_are_refused_quickly() -> None:
    for reply in ("{" * 50_000, '{"a":' * 50_000, '{"' * 50_000, "[" * 50_000 + "{"):
        with pytest.raises(Unparsable):
            parse(reply, NAMES)


def test_the_reason_does_not_quote_the_reply() -> None:
    with pytest.raises(Unparsable) as told:
        parse('{"relevance": "секрет", "clarity": 0, "пароль": 1}', NAMES)
    assert "секрет" not in str(told.value) and "пароль" not in str(told.value)


@given(st.text(max_size=200))
def test_any_text_is_a_verdict_or_unparsable(text: str) -> None:
    try:
        found = parse(text, NAMES)
    except Unparsable:
        return
    assert set(found) == set(NAMES)


@given(st.fixed_dictionaries({name: st.sampled_from([0, 1, 2]) for name in NAMES}), st.text(max_size=40))
def test_a_verdict_survives_prose_before_it(given_verdict: dict[str, int], prose: str) -> None:
    prose = prose.replace("{", "").replace("<", "")
    assert parse(f"{prose} {json.dumps(given_verdict)}", NAMES) == given_verdict
