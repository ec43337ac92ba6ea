"""BLEURT against the reference (Sellam et al. 2020, arXiv:2004.04696): a network's guess of a person's rating.

Three kinds of checkpoint can be loaded, by folder or hub id: any sequence classifier with one output; the PyTorch
ports whose `model_type` is `bleurt`, small ones (BERT with `vocab.txt`) and BLEURT-20 (RemBERT with `spm.model`), both
on transformers' own networks, since the ports' package needs transformers 4. The original TensorFlow checkpoints cannot
be. Only BLEURT-20 and its distilled forms have learned Russian; the older ones know English.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.evaluation.metrics.bertscore import first_line
from training.evaluation.metrics.column import Absent, Options, Values
from training.evaluation.samples import Sample

BATCH = 32
LONGEST = 512
PIECES = "spm.model"

# (reference, answer) → token ids of the pair and their type ids.
Encode = Callable[[str, str], tuple[list[int], list[int]]]


def measure(samples: Sequence[Sample], options: Options) -> dict[str, Values] | Absent:
    """The rating, about 0 to 1 (not bounded); None without a reference; Absent if no checkpoint can be loaded."""
    if options.bleurt is None:
        return Absent("no checkpoint is named; give --bleurt FOLDER or a hub id")
    try:
        scorer = load(options.bleurt, options.device)
    except (OSError, ValueError, KeyError) as error:
        return Absent(f"the checkpoint {options.bleurt} cannot be loaded ({first_line(error)})")
    rated = [index for index, one in enumerate(samples) if one.reference and one.reference.strip()]
    pairs = [(samples[index].reference or "", samples[index].answer) for index in rated]
    found: Values = [None] * len(samples)
    for index, value in zip(rated, scorer.rate(pairs), strict=True):
        found[index] = value
    return {"bleurt": found}


class Scorer:
    """A loaded checkpoint."""

    def __init__(self, model: Any, encode: Encode, pad: int) -> None:
        self.model, self.encode, self.pad = model, encode, pad
        self.longest = min(LONGEST, int(model.config.max_position_embeddings))

    def rate(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """One rating a (reference, answer)."""
        import torch

        given = [self.encode(*pair) for pair in pairs]
        order = sorted(range(len(given)), key=lambda index: len(given[index][0]))
        found = [0.0] * len(given)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            width = min(self.longest, max(len(given[index][0]) for index in part))
            ids, types, mask = [], [], []
            for index in part:
                own, kinds = (values[:width] for values in given[index])
                gap = width - len(own)
                ids.append(own + [self.pad] * gap)
                types.append(kinds + [0] * gap)
                mask.append([1] * len(own) + [0] * gap)
            device = self.model.device
            with torch.inference_mode():
                logits = self.model(
                    input_ids=torch.tensor(ids, device=device),
                    token_type_ids=torch.tensor(types, device=device),
                    attention_mask=torch.tensor(mask, device=device),
                ).logits
            for index, value in zip(part, logits[:, 0].float().tolist(), strict=True):
                found[index] = value
        return found


def load(where: str, device: str = "auto") -> Scorer:
    """The scorer of a checkpoint; OSError or ValueError say what is wrong."""
    from transformers import PretrainedConfig
    from transformers.utils import logging as transformers_logging

    from models.devices import pick_device

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if (Path(where) / "variables").is_dir() or (Path(where) / "saved_model.pb").is_file():
        raise ValueError("it is the original TensorFlow checkpoint; take a port of it to PyTorch")
    raw, _ = PretrainedConfig.get_config_dict(where)
    model, told = _ported(where, raw) if raw.get("model_type") == "bleurt" else _plain(where)
    if missing := sorted(told["missing_keys"]):
        raise ValueError(f"it has no weights for {missing[0]}, so its ratings would be random")
    if model.config.num_labels != 1:
        raise ValueError(f"it has {model.config.num_labels} outputs, a rating is one")
    encode, pad = _encoder(where, raw)
    return Scorer(model.float().to(pick_device(device)).eval(), encode, pad)


def _plain(where: str) -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(where, output_loading_info=True)


def _ported(where: str, raw: dict[str, Any]) -> Any:
    """The port's weights in the network of transformers that computes the same, and what loading tells."""
    from transformers import BertConfig, BertForSequenceClassification, RemBertConfig, RemBertForSequenceClassification

    known = {key: value for key, value in raw.items() if key not in ("model_type", "architectures", "embedding_size")}
    known["num_labels"] = 1
    size = raw.get("embedding_size")
    if size is None:
        return BertForSequenceClassification.from_pretrained(
            where, config=BertConfig(**known), key_mapping={r"^bleurt\.": "bert."}, output_loading_info=True
        )
    config = RemBertConfig(**known, input_embedding_size=size, output_embedding_size=size)
    names = {
        r"^bleurt\.encoder\.embedding_projection\.": "rembert.encoder.embedding_hidden_mapping_in.",
        r"^bleurt\.": "rembert.",
    }
    return RemBertForSequenceClassification.from_pretrained(
        where, config=config, key_mapping=names, output_loading_info=True
    )


def _encoder(where: str, raw: dict[str, Any]) -> tuple[Encode, int]:
    from transformers import AutoTokenizer, BertTokenizer

    if raw.get("model_type") != "bleurt":
        return _by_tokenizer(AutoTokenizer.from_pretrained(where))
    from transformers.utils.hub import cached_file

    if (pieces := cached_file(where, PIECES, _raise_exceptions_for_missing_entries=False)) is not None:
        return _by_pieces(str(pieces))
    return _by_tokenizer(BertTokenizer.from_pretrained(where))


def _by_tokenizer(tokenizer: Any) -> tuple[Encode, int]:
    def encode(reference: str, answer: str) -> tuple[list[int], list[int]]:
        given = tokenizer(reference, answer, truncation=True, max_length=LONGEST)
        # A tokenizer that gives no types has a network that was trained without them.
        return list(given["input_ids"]), list(given.get("token_type_ids", [0] * len(given["input_ids"])))

    return encode, int(tokenizer.pad_token_id or 0)


def _by_pieces(file: str) -> tuple[Encode, int]:
    from sentencepiece import SentencePieceProcessor

    pieces: Any = SentencePieceProcessor(model_file=file)
    begin, end, pad = (pieces.piece_to_id(mark) for mark in ("[CLS]", "[SEP]", "[PAD]"))

    def encode(reference: str, answer: str) -> tuple[list[int], list[int]]:
        one, two = (pieces.encode(text) for text in (reference, answer))
        one, two = one[: LONGEST // 2 - 2], two[: LONGEST // 2 - 1]
        head = [begin, *one, end]
        return [*head, *two, end], [0] * len(head) + [1] * (len(two) + 1)

    return encode, int(pad)
