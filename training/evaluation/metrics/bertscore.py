"""BERTScore against the reference (Zhang et al. 2020, arXiv:1904.09675, eq. 1–3): words matched by meaning in context.

Computed with transformers itself, as the paper's package does without idf: every word piece is matched to the most
similar one of the other text; marks such as [CLS] may be matched to but weigh nothing. Not rescaled by a baseline, so
numbers are comparable only for one encoder and layer, which the options name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.evaluation.metrics.column import Absent, Options, Values
from training.evaluation.samples import Sample

BATCH = 32
LONGEST = 512


def measure(samples: Sequence[Sample], options: Options) -> dict[str, Values] | Absent:
    """F1, 0 for an empty answer, None without a reference; Absent if no encoder is named or it cannot be loaded."""
    if options.bertscore is None:
        return Absent("no encoder is named; give --bertscore FOLDER or a hub id")
    try:
        encoder = Encoder(options.bertscore, options.bertscore_layer, options.device)
    except (OSError, ValueError) as error:
        return Absent(f"the encoder {options.bertscore} cannot be loaded ({first_line(error)})")
    scored = [index for index, one in enumerate(samples) if one.reference and one.reference.strip()]
    found: Values = [None] * len(samples)
    scored.sort(key=lambda index: len(samples[index].answer) + len(samples[index].reference or ""))
    for start in range(0, len(scored), BATCH):
        part = scored[start : start + BATCH]
        answers = [samples[index].answer for index in part]
        references = [samples[index].reference or "" for index in part]
        for index, value in zip(part, encoder.f1(answers, references), strict=True):
            found[index] = value if samples[index].answer.strip() else 0.0
    return {"bertscore": found}


def first_line(error: Exception) -> str:
    """What another library says, without its advice to developers."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class Encoder:
    """A loaded encoder, whose hidden states after `layer` blocks are compared. ValueError if it has fewer."""

    def __init__(self, where: str, layer: int | None, device: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging as transformers_logging

        from models.devices import pick_device

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        told = transformers_logging.get_verbosity()
        # It reports every head that is left behind, and an encoder's head is of no use here.
        transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(where)
            self.model: Any = AutoModel.from_pretrained(where, dtype=torch.float32).to(pick_device(device)).eval()
        finally:
            transformers_logging.set_verbosity(told)
        layers = int(self.model.config.num_hidden_layers)
        # The published choices lie there: 9 of 12 for mBERT, 18 of 24 for BERT-large, 17 of 24 for XLM-R-large.
        self.layer = layer or max(1, round(0.75 * layers))
        if self.layer > layers:
            raise ValueError(f"it has {layers} layers, layer {self.layer} was asked for")
        own = getattr(self.model.config, "max_position_embeddings", LONGEST)
        self.longest = min(LONGEST, own)

    def f1(self, answers: Sequence[str], references: Sequence[str]) -> list[float]:
        """One F1 a pair."""
        import torch

        with torch.inference_mode():
            mine, my_weights, my_mask = self._states(answers)
            theirs, their_weights, their_mask = self._states(references)
            likeness = mine @ theirs.transpose(1, 2)
            likeness = likeness.masked_fill(~(my_mask[:, :, None] & their_mask[:, None, :]), -1.0)
            precision = (likeness.amax(2) * my_weights).sum(1) / my_weights.sum(1).clamp(min=1)
            recall = (likeness.amax(1) * their_weights).sum(1) / their_weights.sum(1).clamp(min=1)
            both = precision + recall
            return torch.where(both > 0, 2 * precision * recall / both, torch.zeros_like(both)).tolist()

    def _states(self, texts: Sequence[str]) -> tuple[Any, Any, Any]:
        """Unit vectors `[n, t, size]`, weights `[n, t]` (0 for marks and padding), mask `[n, t]`."""
        given = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.longest,
            return_special_tokens_mask=True,
            return_tensors="pt",
        ).to(self.model.device)
        marks = given.pop("special_tokens_mask").bool()
        states = self.model(**given, output_hidden_states=True).hidden_states[self.layer].float()
        mask = given["attention_mask"].bool()
        unit = states / states.norm(dim=-1, keepdim=True).clamp(min=1e-9)
        return unit, (mask & ~marks).float(), mask
