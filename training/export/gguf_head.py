"""A GGUF file's metadata: sizes, rotary positions, sampling, tokenizer, chat template, provenance. Knows no tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.export import shape as shapes
from training.export.templates import exported
from training.export.vocabulary import Vocabulary
from training.export.weights import Weights

if TYPE_CHECKING:
    from gguf import GGUFWriter

PROVENANCE = "otklik.provenance"


@dataclass(frozen=True)
class Source:
    """A model on its way into a GGUF file."""

    weights: Weights
    tokenizer: Any
    generation: Any
    shape: shapes.Shape
    vocabulary: Vocabulary

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know of the result."""
        return (*self.shape.notes, *self.vocabulary.notes)


def describe(writer: GGUFWriter, model: Source, file_type: str, origin: Mapping[str, Any]) -> None:
    """Write sizes, tokenizer, chat template and provenance. `file_type`: one of gguf.LlamaFileType's names."""
    import gguf

    shape = model.shape
    adapter = origin["adapter"]
    writer.add_type("model")
    writer.add_name(origin["base"]["name"] + (f" + {adapter['name']}" if adapter else ""))
    if licence := origin["base"]["licence"]:
        writer.add_license(licence)
    writer.add_string(PROVENANCE, json.dumps(origin, ensure_ascii=False))
    writer.add_file_type(gguf.LlamaFileType[file_type])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.blocks)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.theta)
    _scaling(writer, shape)
    _sampling(writer, model.generation)
    _tokens(writer, model)


def _scaling(writer: GGUFWriter, shape: shapes.Shape) -> None:
    import gguf

    if not shape.scaling:
        return
    writer.add_rope_scaling_type(gguf.RopeScalingType(shape.scaling["type"]))
    writer.add_rope_scaling_factor(shape.scaling["factor"])
    if "original" in shape.scaling:
        writer.add_rope_scaling_orig_ctx_len(shape.scaling["original"])
    if "fast" in shape.scaling:
        writer.add_rope_scaling_yarn_beta_fast(shape.scaling["fast"])
        writer.add_rope_scaling_yarn_beta_slow(shape.scaling["slow"])


def _sampling(writer: GGUFWriter, generation: Any) -> None:
    """How the model's makers want it sampled, where they say so."""
    if not generation.do_sample:
        return
    if generation.temperature is not None:
        writer.add_sampling_temp(float(generation.temperature))
    if generation.top_p is not None:
        writer.add_sampling_top_p(float(generation.top_p))
    if generation.top_k is not None:
        writer.add_sampling_top_k(int(generation.top_k))


def _tokens(writer: GGUFWriter, model: Source) -> None:
    words = model.vocabulary
    writer.add_tokenizer_model(words.kind)
    writer.add_tokenizer_pre(words.splitter)
    writer.add_token_list(list(words.pieces))
    writer.add_token_types(list(words.types))
    if words.scores:
        writer.add_token_scores(list(words.scores))
    if words.merges:
        writer.add_token_merges(list(words.merges))
    for name, token in words.special.items():
        getattr(writer, f"add_{name}_token_id")(token)
    writer.add_add_bos_token(words.begins)
    writer.add_add_eos_token(False)
    if words.prefix is not None:
        writer.add_add_space_prefix(words.prefix)
    writer.add_chat_template(exported(model.tokenizer))
