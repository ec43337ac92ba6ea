"""The emotion classifier: any transformers sequence classifier, by folder or hub id.

Labels are normalised to ours; multi-label heads get a sigmoid, others a softmax. Thresholds come from
`thresholds.json` beside the weights, a wide part's logits from `wide.safetensors` if there is one. Knows nothing of
presets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from models import wide
from models.classifier import normalise, read_thresholds
from models.devices import pick_device
from models.errors import ClassifierBroken, first_line
from models.revisions import with_commit

ROWS = 32
TOKENS = 256


class SequenceClassifier:
    """Loaded weights. Texts are classified in batches of like length, cut at 256 tokens."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        thresholds: Mapping[str, float],
        beside: wide.Wide | None = None,
    ) -> None:
        self.model = model
        self.wide = beside
        self.tokenizer = tokenizer
        self.id = name
        self.thresholds = thresholds
        names = model.config.id2label
        self.labels = tuple(normalise(str(names[index])) for index in range(len(names)))
        self.multi_label = model.config.problem_type == "multi_label_classification"
        limit = getattr(model.config, "max_position_embeddings", TOKENS)
        self.max_tokens = min(TOKENS, limit)

    @classmethod
    def load(cls, where: str, *, device: str = "auto") -> SequenceClassifier:
        """From a folder or a hub id; ClassifierBroken with advice if that fails."""
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            thresholds = read_thresholds(Path(where))
            tokenizer = AutoTokenizer.from_pretrained(where)
            model = AutoModelForSequenceClassification.from_pretrained(where, use_safetensors=True)
            names = model.config.id2label
            labels = [normalise(str(names[index])) for index in range(len(names))]
            beside = wide.read(Path(where), labels)
            unknown = sorted(set(thresholds) - set(labels))
            if unknown:
                raise ValueError(f"thresholds.json names labels that the classifier lacks: {', '.join(unknown)}")
        except Exception as error:
            raise ClassifierBroken(
                f"the emotion classifier {where} cannot be loaded ({type(error).__name__}: {first_line(error)}); "
                "set MODELS_CLASSIFIER to a folder or hub id, or to none to leave answers unchecked"
            ) from error
        model.to(pick_device(device)).eval()
        return cls(model, tokenizer, _name(where), thresholds, beside)

    @torch.inference_mode()
    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probabilities by label, one mapping a text, in the order given."""
        logits = self.network_logits(texts)
        if self.wide is not None and texts:
            logits = logits * torch.from_numpy(self.wide.share) + torch.from_numpy(self.wide.logits(texts))
        probabilities = logits.sigmoid() if self.multi_label else logits.softmax(-1)
        return [dict(zip(self.labels, row, strict=True)) for row in probabilities.tolist()]

    @torch.inference_mode()
    def network_logits(self, texts: Sequence[str]) -> torch.Tensor:
        """(texts, labels) in float32 on the CPU, of the network alone, in the order given."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found = torch.zeros(len(texts), len(self.labels))
        for start in range(0, len(order), ROWS):
            part = order[start : start + ROWS]
            found[part] = self._batch([texts[index] for index in part])
        return found

    def _batch(self, texts: list[str]) -> torch.Tensor:
        encoded = self.tokenizer(
            texts, return_tensors="pt", padding=True, truncation=True, max_length=self.max_tokens
        ).to(self.model.device)
        return torch.Tensor(self.model(**encoded).logits.float().cpu())


def _name(where: str) -> str:
    """A hub id with its commit; a folder by its name and the hash of its weights, so that provenance tells versions
    apart."""
    if not Path(where).is_dir():
        return with_commit(where)
    weights, beside = Path(where) / "model.safetensors", Path(where) / wide.FILE
    if not weights.is_file():
        return where
    digest = hashlib.sha256(weights.read_bytes())
    if beside.is_file():
        digest.update(beside.read_bytes())
    return f"{Path(where).name}-{digest.hexdigest()[:8]}"
