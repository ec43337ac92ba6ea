"""TF-IDF over words and characters with one logistic regression a label: reference, teacher and second opinion.

Knows labelled rows only. Needs scikit-learn, which is imported when a model is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.emotions import LABELS, Labelled

PIECES = r"\w+|[^\w\s]"


class TfIdf:
    """A fitted reference classifier; `fit` makes one."""

    def __init__(self, vectorizers: list[Any], models: dict[str, Any], labels: Sequence[str] = LABELS) -> None:
        self._vectorizers = vectorizers
        self._models = models
        self.labels = tuple(labels)

    @classmethod
    def fit(
        cls,
        rows: Sequence[Labelled],
        weights: Sequence[float] | None = None,
        regularisation: float = 4.0,
        labels: Sequence[str] = LABELS,
    ) -> TfIdf:
        """Learn from rows; a label that a row does not know leaves that row out for that label."""
        from scipy.sparse import hstack
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=PIECES)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
        vectorizers = [words, letters]
        features = hstack([one.fit_transform([_fold(row.text) for row in rows]) for one in vectorizers]).tocsr()
        masses = np.asarray(weights if weights is not None else np.ones(len(rows)))
        models: dict[str, Any] = {}
        for label in labels:
            known = np.array([label in row.known for row in rows])
            actual = np.array([label in row.labels for row in rows])[known]
            if 0 < actual.sum() < len(actual):
                model = LogisticRegression(C=regularisation, class_weight="balanced", solver="liblinear")
                models[label] = model.fit(features[known], actual, sample_weight=masses[known])
        return cls(vectorizers, models, labels)

    def predict(self, texts: Sequence[str], batch: int = 20000) -> NDArray[np.float32]:
        """`(len(texts), len(labels))` probabilities in the order of `labels`; zero for labels never seen."""
        from scipy.sparse import hstack

        found = np.zeros((len(texts), len(self.labels)), dtype=np.float32)
        for start in range(0, len(texts), batch):
            part = [_fold(text) for text in texts[start : start + batch]]
            features = hstack([one.transform(part) for one in self._vectorizers]).tocsr()
            for label, model in self._models.items():
                found[start : start + len(part), self.labels.index(label)] = model.predict_proba(features)[:, 1]
        return found

    def rows(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """The same as mappings of label to probability."""
        return [dict(zip(self.labels, map(float, line), strict=True)) for line in self.predict(texts)]


def _fold(text: str) -> str:
    return text.lower().replace("ё", "е")
