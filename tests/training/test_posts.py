"""The shipped posts are sound, their held-out lines are never learned, and a wrong line is told with its place."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from training.data import emotion_sets, posts
from training.data.emotions import PUBLIC


def test_the_shipped_ones_are_sound() -> None:
    train, held = posts.load()
    texts = [row.text for row in (*train, *held)]
    folded = [re.sub(r"[^а-яa-z0-9]+", " ", text.lower().replace("ё", "е")).strip() or text for text in texts]
    assert not [text for text, times in Counter(folded).items() if times > 1]
    assert not [text for text in texts if re.search(r"https?:|www\.|@\w|\d{7}", text)]
    assert not [text for text in texts if len(text) > 300 or text != text.strip()]
    assert not [text for text in texts if len(re.findall(r"[a-z]", text.lower())) > max(12, len(text) / 2)]


def test_every_emotion_stands_in_many_lines_alone_and_beside_others() -> None:
    train, held = posts.load()
    for part, least in ((train, 600), (held, 25)):
        counts = Counter(label for row in part for label in row.labels)
        assert min(counts[label] for label in PUBLIC) >= least
    several = [row for row in train if len(row.labels) > 1]
    assert len(several) > len(train) / 10


def test_they_are_learned_only_if_asked_and_never_set_thresholds() -> None:
    bare, more = emotion_sets.gather(None, 0.7), emotion_sets.gather(None, 0.7, with_posts=True)
    train, held = posts.load()
    assert not [row for row in bare["train"] if row.source == "posts"]
    assert {row.source for row in more["validation"]} == {"seed"}
    assert bare["posts_dev"] == more["posts_dev"] == held
    learned = {row.text for row in more["train"] if row.source == "posts"}
    assert len(learned) > 0.99 * len(train) and not learned & {row.text for row in held}


@pytest.mark.parametrize(
    "line", ["joy Ура!", "joy\t", "happy\tУра!", "neutral\tНу вот", "joy,\tУра!", "-,joy\tУра!", "joy,joy\tУра!"]
)
def test_a_wrong_line_is_told_with_its_place(line: str, tmp_path: Path) -> None:
    (tmp_path / "01.tsv").write_text(f"-\tСтоит чайник\n{line}\n", encoding="utf-8")
    with pytest.raises(posts.PostError, match=r"^01\.tsv:2: not «labels<TAB>text» with labels of anger, disgust"):
        posts.load(tmp_path)


def test_a_folder_without_posts_is_told(tmp_path: Path) -> None:
    with pytest.raises(posts.PostError, match="holds no posts"):
        posts.load(tmp_path)
