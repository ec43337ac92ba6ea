"""`otklik export gguf`: one file that llama.cpp and Ollama load: tensors, tokenizer, chat template, provenance.

Tensors are read, merged, converted and written one by one, so that memory holds the largest of them only.
K-quants go through llama.cpp's quantizer (quantizing.py). Knows nothing of Modelfiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.export import shape as shapes
from training.export import vocabulary as vocabularies
from training.export.errors import SourceUnusable, ToolMissing, Unsupported
from training.export.gguf_head import Source, describe
from training.export.places import new_file, require_new
from training.export.provenance import provenance
from training.export.quantizing import KINDS, quantize, require_quantizer
from training.export.templates import sample_prompts
from training.export.weights import Weights
from training.runs import progress

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFWriter
    from numpy.typing import NDArray
    from torch import Tensor

# Name → GGML's tensor type and GGUF's file type.
TYPES = {
    "f32": ("F32", "ALL_F32"),
    "f16": ("F16", "MOSTLY_F16"),
    "bf16": ("BF16", "MOSTLY_BF16"),
    "q8_0": ("Q8_0", "MOSTLY_Q8_0"),
}
# Room for everything but tensors: the vocabulary is the largest part.
HEAD_BYTES = 32 * 2**20


def source(folder: Path, adapter: Path | None = None) -> Source:
    """Everything that a file needs, checked; SourceUnusable or Unsupported if it cannot be exported."""
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    from models.engines.prompts import end_tokens

    weights = Weights(folder, adapter)
    _require_readers(folder)
    try:
        config = AutoConfig.from_pretrained(folder)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    except Exception as error:
        raise SourceUnusable(f"configuration or tokenizer of {folder} cannot be read ({error})") from None
    own = (folder / "generation_config.json").is_file()
    generation = GenerationConfig.from_pretrained(folder) if own else GenerationConfig.from_model_config(config)
    shape = shapes.of(config)
    ends = sorted(end_tokens(tokenizer, generation))
    vocabulary = vocabularies.read(tokenizer, shape.vocabulary, ends, sample_prompts(tokenizer))
    return Source(weights, tokenizer, generation, shape, vocabulary)


def _require_readers(folder: Path) -> None:
    """ToolMissing where only SentencePiece's own file holds the tokenizer and its readers are not installed."""
    if (folder / "tokenizer.json").is_file() or not (folder / "tokenizer.model").is_file():
        return
    missing = [name for name in ("sentencepiece", "google") if find_spec(name) is None]
    if missing:
        raise ToolMissing(
            f"{folder} holds its tokenizer as tokenizer.model only: pip install sentencepiece protobuf, which read it"
        )


def export(
    folder: Path, out: Path, kind: str, *, named: str, adapter: Path | None = None, force: bool = False
) -> tuple[str, ...]:
    """Write the model as `kind`, one of TYPES or of quantizing.KINDS, to the file `out`; returns what to know of it."""
    if kind in TYPES:
        model = source(folder, adapter)
        write(model, out, kind, named=named, adapter=adapter, force=force)
        return model.notes
    if kind not in KINDS:
        raise Unsupported(f"{kind} is no type of GGUF files; there are {', '.join((*TYPES, *KINDS))}")
    require_quantizer(kind)
    require_new(out, force)
    model = source(folder, adapter)
    with new_file(out, 0, force) as fresh:
        # float32 loses nothing before the quantizer rounds once.
        full = write(model, out.with_name(f".{out.name}.f32"), "f32", named=named, adapter=adapter, force=True)
        try:
            quantize(full, fresh, kind)
        finally:
            full.unlink(missing_ok=True)
    return model.notes


def write(model: Source, out: Path, kind: str, *, named: str, adapter: Path | None = None, force: bool = False) -> Path:
    """Write the file `out`, which it returns. `kind` is one of TYPES; vectors and what q8_0's blocks of 32 do not
    divide stay in float32 and float16."""
    import gguf

    origin = provenance(model.weights.folder, named, adapter)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[model.shape.architecture.upper()], model.shape.blocks)
    tensors = {name: _target(names, name) for name in model.weights.entries if _wanted(model, name)}
    types = {name: _type(kind, model.weights.entries[name].shape) for name in tensors}
    sizes = {name: _bytes(model.weights.entries[name].shape, types[name]) for name in tensors}
    with new_file(out, sum(sizes.values()) + HEAD_BYTES, force) as fresh:
        writer = gguf.GGUFWriter(fresh, model.shape.architecture)
        try:
            describe(writer, model, TYPES[kind][1], origin)
            for name, target in tensors.items():
                own = types[name]
                writer.add_tensor_info(target, *_layout(model.weights.entries[name].shape, own, sizes[name]), own)
            if model.shape.factors:
                _factors_info(writer, model)
            writer.write_header_to_file(fresh)
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for data in _contents(model, tensors, types):
                writer.write_tensor_data(data)
        finally:
            writer.close()
    return out


def _wanted(model: Source, name: str) -> bool:
    if name.endswith(("rotary_emb.inv_freq", "attention.masked_bias")):
        return False
    return not (model.shape.tied and name == "lm_head.weight")


def _target(names: Any, name: str) -> str:
    found: str | None = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise SourceUnusable(f"the model holds {name}, which no Llama, Mistral or Qwen2 model has")
    return found


def _type(kind: str, shape: tuple[int, ...]) -> GGMLQuantizationType:
    import gguf

    types = gguf.GGMLQuantizationType
    if len(shape) < 2:
        return types.F32
    if kind == "q8_0" and shape[-1] % gguf.GGML_QUANT_SIZES[types.Q8_0][0]:
        return types.F16
    return types[TYPES[kind][0]]


def _bytes(shape: tuple[int, ...], kind: GGMLQuantizationType) -> int:
    import gguf

    count = 1
    for size in shape:
        count *= size
    block, size = gguf.GGML_QUANT_SIZES[kind]
    return count // block * size


def _layout(shape: tuple[int, ...], kind: GGMLQuantizationType, size: int) -> tuple[tuple[int, ...], Any, int]:
    """Shape, numpy type and bytes as the writer wants them: packed types as bytes."""
    import gguf
    import numpy as np

    types = gguf.GGMLQuantizationType
    if kind in (types.F32, types.F16):
        return shape, np.dtype(np.float32 if kind == types.F32 else np.float16), size
    return gguf.quant_shape_to_byte_shape(shape, kind), np.dtype(np.uint8), size


def _contents(model: Source, tensors: dict[str, str], types: dict[str, GGMLQuantizationType]) -> Iterator[NDArray[Any]]:
    """Every tensor's bytes in the order in which they were announced."""
    import gguf
    import numpy as np

    with progress("writing GGUF", len(tensors)) as advance:
        for done, name in enumerate(tensors, 1):
            tensor = _arranged(model, name, model.weights.read(name))
            numbers = tensor.float().contiguous().numpy()
            if types[name] == gguf.GGMLQuantizationType.F16 and np.abs(numbers).max() > np.finfo(np.float16).max:
                raise Unsupported(f"{name} holds numbers beyond float16's 65504: use --type bf16, q8_0 or f32")
            yield gguf.quantize(numbers, types[name])
            advance(done, tensors[name])
    if model.shape.factors:
        yield np.array(model.shape.factors, dtype=np.float32)


def _arranged(model: Source, name: str, tensor: Tensor) -> Tensor:
    if model.shape.architecture not in shapes.INTERLEAVED:
        return tensor
    if ".q_proj." in name:
        return shapes.interleaved(tensor, model.shape.heads)
    return shapes.interleaved(tensor, model.shape.kv_heads) if ".k_proj." in name else tensor


def _factors_info(writer: GGUFWriter, model: Source) -> None:
    import numpy as np

    size = len(model.shape.factors)
    writer.add_tensor_info("rope_freqs.weight", (size,), np.dtype(np.float32), 4 * size)
