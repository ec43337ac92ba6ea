"""The model that a method tunes: loaded by folder or hub id, in full precision, NF4 or int8, with its tokenizer and the
LoRA adapter's shape. Knows no method and no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, field_validator

from training.base_files import HEADS
from training.base_names import BaseMissing as BaseMissing
from training.base_names import commit as commit
from training.base_names import missing
from training.recipes import RecipeError
from training.runs import hash_folder

if TYPE_CHECKING:
    from peft import LoraConfig

log = structlog.get_logger(__name__)

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Quantization = Literal["none", "nf4", "int8"]


class Lora(BaseModel):
    """A LoRA adapter (Hu et al. 2021, arXiv:2106.09685): W + alpha / rank · B·A on the targeted linear layers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = Field(
        default="all-linear", description="All linear layers but the output, or names such as q_proj."
    )
    rslora: bool = Field(default=False, description="Scale by alpha / √rank (arXiv:2312.03732).")

    @field_validator("targets")
    @classmethod
    def _no_output(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        heads = [] if isinstance(targets, str) else [one for one in targets if one.rsplit(".", 1)[-1] in HEADS]
        if heads:
            raise ValueError(f"{', '.join(heads)} is the output, where trainers would leave an adapter untrained")
        return targets

    def config(self, model: Any, task: str = "CAUSAL_LM") -> LoraConfig:
        """PEFT's form of it for a model: plain LoRA, which the worker can mix in one batch."""
        from peft import LoraConfig

        self._require(model)
        targets = self.targets if isinstance(self.targets, str) else list(self.targets)
        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=self.dropout,
            target_modules=targets,
            use_rslora=self.rslora,
            fan_in_fan_out=model.config.model_type == "gpt2",  # its layers keep their weights transposed
            task_type=task,
        )

    def _require(self, model: Any) -> None:
        """RecipeError naming the targets that no linear layer of the model is called, and what there is."""
        if isinstance(self.targets, str):
            return
        there = linear_layers(model)
        wrong = [one for one in self.targets if not any(name == one or name.endswith(f".{one}") for name in there)]
        if wrong:
            raise no_such_layers(wrong, list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in there)))


def no_such_layers(wrong: Sequence[str], there: Sequence[str]) -> RecipeError:
    """The error for targets that a base has not, naming what it has."""
    known = ", ".join(one for one in there if one not in HEADS)
    return RecipeError(
        f"lora.targets: this base has no linear layer called {', '.join(wrong)}; it has {known}; or take "
        "all-linear, which leaves out the output"
    )


def linear_layers(model: Any) -> list[str]:
    """Whole names of the layers that an adapter can stand beside; quantized ones and GPT-2's Conv1D among them."""
    import torch

    return [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) or type(layer).__name__ == "Conv1D"
    ]


@dataclass(frozen=True)
class Count:
    """Weights that are tuned, and all weights, quantized ones counted as what they stand for."""

    trainable: int
    total: int

    def __str__(self) -> str:
        share = 100 * self.trainable / self.total if self.total else 0.0
        return f"{self.trainable:,} of {self.total:,} ({share:.4f} %)"


def count(model: Any) -> Count:
    """Parameters as PEFT's `print_trainable_parameters` and the literature report them."""
    trainable = total = 0
    for weight in model.parameters():
        number = weight.numel()
        if type(weight).__name__ == "Params4bit":
            number *= 2 * weight.element_size()
        total += number
        trainable += number if weight.requires_grad else 0
    return Count(trainable, total)


def provenance(place: str | Path, revision: str | None = None) -> dict[str, str | None]:
    """What a manifest says of a base, an adapter or a classifier: its name, and its commit or its folder's hash."""
    folder = Path(place)
    known = hash_folder(folder) if folder.is_dir() else commit(str(place), revision) or revision
    return {"name": str(place), "revision": known}


def load_tokenizer(base: str, revision: str | None = None, answers: bool = True) -> Any:
    """The base's tokenizer with a padding token; BaseMissing, or RecipeError if neither pad nor end token exists.

    `answers`: whether the base is to write, which takes an end token; an encoder needs none.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=commit(base, revision) or revision)
    except BaseMissing:
        raise
    except Exception as error:
        raise missing(base, "tokenizer", error) from error
    if not answers and tokenizer.pad_token_id is not None:
        return tokenizer
    return with_padding(tokenizer, base)


def with_padding(tokenizer: Any, base: str) -> Any:
    """The tokenizer, padding with its end token if it has no other: losses leave padding out by place, not by token."""
    if tokenizer.eos_token_id is None:
        raise RecipeError(
            f"base: the tokenizer of {base} has no end-of-sequence token, so a tuned model would never stop: set "
            "`eos_token` (and `pad_token`) in its tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
        log.info("padding_with_end_token", base=base)
    return tokenizer


def load_model(
    base: str,
    *,
    revision: str | None = None,
    quantization: Quantization = "none",
    precision: Precision = "auto",
    attention: str | None = None,
    labels: int | None = None,
    replace_head: bool = False,
) -> Any:
    """The base, ready to be tuned; `labels`: with a scoring head of so many outputs instead of the language head.

    `replace_head`: a head of another size is left behind for a new one; otherwise it is an error.
    `auto` precision is what `pick_dtype` says. Distributed runs place it themselves.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    from models.devices import pick_device, pick_dtype

    device = pick_device("auto")
    dtype = pick_dtype(precision, device)
    keys: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "revision": commit(base, revision) or revision}
    if attention:
        keys["attn_implementation"] = attention
    if quantization != "none":
        keys |= {"quantization_config": _quantized(quantization, dtype), "device_map": {"": _own_device(device)}}
    kind: Any = AutoModelForCausalLM
    if labels is not None:
        kind = AutoModelForSequenceClassification
        keys |= {"num_labels": labels, "ignore_mismatched_sizes": replace_head}
    try:
        model = kind.from_pretrained(base, **keys)
    except Exception as error:
        raise missing(base, "model", error) from error
    model.config.use_cache = False
    return model


def tuned_in_float32(model: Any) -> None:
    """Weights that are tuned become float32: with float16 the loss is scaled, and a scaler takes neither gradients in
    float16 nor those in bfloat16, which TRL gives to adapters on quantized bases."""
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def head_labels(base: str, revision: str | None = None) -> tuple[str, ...]:
    """What a base's head tells apart, in order and named as serving names it; () if it has no named labels."""
    from models.classifier import normalise

    config = _config(base, revision)
    names = tuple(normalise(str(config.id2label[index])) for index in range(len(config.id2label or {})))
    return () if any(name.startswith("label_") for name in names) or len(set(names)) < len(names) else names


def room(base: str, revision: str | None, longest: int) -> int:
    """`longest`, or the tokens that the base has places for where these are fewer: a longer row would end the run."""
    from models.engines.loading import positions

    own = positions(_config(base, revision).get_text_config())
    if own is None or own >= longest:
        return longest
    log.warning("longest_is_more_than_the_base_reads", base=base, longest=longest, positions=own)
    return own


def _config(base: str, revision: str | None) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(base, revision=commit(base, revision) or revision)
    except BaseMissing:
        raise
    except Exception as error:
        raise missing(base, "configuration", error) from error


def require_folder(folder: Path, name: str) -> None:
    """RecipeError unless the folder holds a model or an adapter."""
    if not any((folder / file).is_file() for file in ("config.json", "adapter_config.json")):
        raise RecipeError(f"{name}: {folder} holds no model (no config.json)")


def _quantized(quantization: Quantization, dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    if quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _own_device(device: Any) -> Any:
    import os

    import torch

    # Under `accelerate launch` every process keeps its quantized copy on its own GPU.
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if device.type == "cuda" else device
