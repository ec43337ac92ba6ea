"""The small BERT behind the emotion classifier: its word pieces, the two training stages, predictions, export.

Knows labelled rows and a recipe; nothing of files that rows come from.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.data.emotions import LABELS, Labelled, calibrate, macro_f1
from training.runs import Run, progress

if TYPE_CHECKING:
    from training.starter_classifier import StarterClassifierRecipe

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROLES = tuple(f"{role}_token" for role in ("pad", "unk", "cls", "sep", "mask"))
PAD, CLS, MASK = 0, 2, 4


def train_wordpieces(texts: Sequence[str], size: int) -> Any:
    """A fast tokenizer of lower-cased word pieces, ё as е, punctuation and emoji one by one."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast
    raw = Tokenizer(models.WordPiece(unk_token=SPECIALS[1]))
    raw.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace("ё", "е")])
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIALS), min_frequency=2, limit_alphabet=400, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", 3)]
    )
    return fast(tokenizer_object=raw, model_max_length=128, **dict(zip(ROLES, SPECIALS, strict=True)))


def load_wordpieces(folder: Path) -> Any:
    """The tokenizer of an earlier classifier."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


class Network:
    """A BERT for sequence classification with its tokenizer, and the two stages that train it."""

    def __init__(self, recipe: StarterClassifierRecipe, tokenizer: Any) -> None:
        import torch
        from transformers import BertConfig, BertForSequenceClassification

        shape = recipe.shape
        make: Any = BertConfig
        config = make(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner,
            max_position_embeddings=128,
            pad_token_id=PAD,
            id2label=dict(enumerate(LABELS)),
            label2id={name: i for i, name in enumerate(LABELS)},
            problem_type="multi_label_classification",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            classifier_dropout=0.1,
            # The usual 0.02 is made for 768 and more: in a narrow network it lets nearly nothing through at first.
            initializer_range=shape.hidden**-0.5,
            attn_implementation="eager",
        )
        self.model: Any = BertForSequenceClassification(config)
        if recipe.init is not None:
            self.model = BertForSequenceClassification.from_pretrained(
                recipe.init, dtype=torch.float32, attn_implementation="eager"
            )
        self.recipe = recipe
        self.tokenizer = tokenizer

    def pretext(self, run: Run, texts: Sequence[str], soft: Any) -> None:
        """Masked words and the teacher's probabilities together, for `pretext_minutes`."""
        import torch

        ids = self._ids(texts)
        weights = list(self.model.parameters())
        optimizer = torch.optim.AdamW(weights, lr=self.recipe.pretext_rate, weight_decay=0.01, fused=True)
        limit, begun, step = 60 * self.recipe.pretext_minutes, time.monotonic(), 0
        with progress("pretext", limit) as shown:
            for rows in self._forever(ids):
                spent = time.monotonic() - begun
                if spent >= limit:
                    return
                rate = self.recipe.pretext_rate * min(1.0, (step + 1) / 300, (1 - spent / limit) / 0.4)
                batch, mask = self._pad([ids[row] for row in rows])
                graph = self._pretext_loss(batch, mask, torch.from_numpy(soft[rows]), words=step % 2 == 0)
                loss = self._step(optimizer, graph, weights, rate)
                step += 1
                if step % 50 == 1:
                    run.measure(step=step, pretext_loss=round(loss, 4))
                if step % 50 == 0:
                    run.measure(step=step, soft_loss=round(loss / max(self.recipe.teacher_weight, 1e-9), 4))
                    shown(spent, f"loss {loss:.3f}")

    def _pretext_loss(self, batch: Any, mask: Any, soft: Any, words: bool) -> Any:
        """The teacher's labels of texts with some words hidden, and in `words` steps the hidden words themselves."""
        import torch

        hidden_words = (torch.rand(batch.shape) < 0.12) & (batch > MASK)
        shown = torch.where(hidden_words, torch.full_like(batch, MASK), batch)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self.model.bert(input_ids=shown, attention_mask=mask)
            logits = self.model.classifier(hidden.pooler_output)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), soft) * self.recipe.teacher_weight
        if not words or not self.recipe.word_weight or not hidden_words.any():
            return loss
        with torch.autocast("cpu", torch.bfloat16):
            table = self.model.bert.embeddings.word_embeddings.weight
            guesses = hidden.last_hidden_state[hidden_words] @ table.t()
        return loss + self.recipe.word_weight * torch.nn.functional.cross_entropy(guesses.float(), batch[hidden_words])

    def tune(self, run: Run, train: Sequence[Labelled], validation: Sequence[Labelled]) -> None:
        """Fine-tune on human labels; ends as the moving average of the weights after the epoch best on validation."""
        import torch

        rows = [row for row in train for _ in range(self.recipe.repeat.get(row.source, 1))]
        ids = self._ids([row.text for row in rows])
        actual = torch.tensor([[float(label in row.labels) for label in LABELS] for row in rows])
        known = torch.tensor([[float(label in row.known) for label in LABELS] for row in rows])
        weights = list(self.model.parameters())
        average = [weight.detach().clone() for weight in weights]
        optimizer = torch.optim.AdamW(weights, lr=self.recipe.learning_rate, weight_decay=0.05, fused=True)
        each = -(-len(rows) // self.recipe.rows)
        total = self.recipe.epochs * each
        best, score = _copy(weights), self._validate(run, 0, validation)
        with progress("tune", total) as shown:
            for step, chosen in enumerate(self._forever(ids)):
                if step >= total:
                    break
                rate = min(1.0, (step + 1) / (0.06 * total), (total - step) / total)
                graph = self._tune_loss([ids[row] for row in chosen], actual[chosen], known[chosen])
                loss = self._step(optimizer, graph, weights, self.recipe.learning_rate * rate)
                with torch.no_grad():
                    for kept, weight in zip(average, weights, strict=True):
                        kept.lerp_(weight, 1 - min(0.995, (step + 1) / (step + 11)))
                if (step + 1) % each == 0:
                    now = _copy(weights)
                    _paste(average, weights)
                    if (reached := self._validate(run, step + 1, validation)) > score:
                        best, score = _copy(weights), reached
                    _paste(now, weights)
                    run.measure(step=step + 1, tune_loss=round(loss, 4))
                shown(step + 1, f"loss {loss:.3f} validation {score:.3f}")
        _paste(best, weights)

    def _validate(self, run: Run, step: int, validation: Sequence[Labelled]) -> float:
        """Macro-F1 with the thresholds that are best on the same rows: good enough to choose an epoch by."""
        found = self.rows([row.text for row in validation])
        score = macro_f1(found, validation, calibrate(found, validation), LABELS)["macro"]
        run.measure(step=step, validation_macro_f1=round(score, 4))
        return score

    def _step(self, optimizer: Any, loss: Any, weights: Sequence[Any], rate: float) -> float:
        import torch

        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _tune_loss(self, ids: Sequence[list[int]], actual: Any, known: Any) -> Any:
        import torch

        self.model.train()
        batch, mask = self._pad(ids)
        # Dropping words keeps a small model from learning texts by heart.
        batch = torch.where((torch.rand(batch.shape) < 0.08) & (batch > MASK), torch.full_like(batch, MASK), batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(input_ids=batch, attention_mask=mask).logits
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), actual, reduction="none")
        return (losses * known).sum() / known.sum()

    def rows(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probabilities of texts by label."""
        import torch

        self.model.eval()
        found: list[dict[str, float]] = []
        ids = self._ids(texts)
        with torch.inference_mode():
            for start in range(0, len(ids), 128):
                batch, mask = self._pad(ids[start : start + 128])
                shares = torch.sigmoid(self.model(input_ids=batch, attention_mask=mask).logits.float()).tolist()
                found += [dict(zip(LABELS, line, strict=True)) for line in shares]
        return found

    def export(self, folder: Path) -> None:
        """Write model and tokenizer in bfloat16, and go on with what was written, so that thresholds fit it."""
        import torch

        self.model.to(torch.bfloat16).save_pretrained(folder)
        self.model.float()
        self.tokenizer.save_pretrained(folder)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self.tokenizer.backend_tokenizer.encode_batch(list(texts))
        return [one.ids[: self.recipe.longest] for one in encoded]

    def _pad(self, ids: Sequence[list[int]]) -> tuple[Any, Any]:
        import torch

        width = max(map(len, ids))
        batch = torch.tensor([[*one, *[PAD] * (width - len(one))] for one in ids])
        return batch, (batch != PAD).long()

    def _forever(self, ids: Sequence[list[int]]) -> Iterator[list[int]]:
        """Batches of row numbers, passes without end; rows of like length stand together, batches in random order."""
        chooser = random.Random(self.recipe.seed)
        while True:
            order = sorted(range(len(ids)), key=lambda row: len(ids[row]) + chooser.random() * 4)
            batches = [order[start : start + self.recipe.rows] for start in range(0, len(order), self.recipe.rows)]
            chooser.shuffle(batches)
            yield from batches


def _copy(weights: Sequence[Any]) -> list[Any]:
    return [weight.detach().clone() for weight in weights]


def _paste(values: Sequence[Any], weights: Sequence[Any]) -> None:
    import torch

    with torch.no_grad():
        for value, weight in zip(values, weights, strict=True):
            weight.copy_(value)
