"""A tokenizer as GGUF states it: pieces, their types, merges or scores, the name of its splitting rule, special ids.

Read from the tokenizer that serves the model, whatever files it came from. Byte-level BPE and SentencePiece-style BPE
with byte fallback; anything else is refused, since llama.cpp would read texts differently. Knows nothing of weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from training.export.errors import SourceUnusable, Unsupported
from training.export.sentencepiece import SPACE, SentencePiece

# GGUF's token types.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
ANY_CASE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
START = r"[^\r\n\p{L}\p{N}]?"
CAPITALS = (
    rf"{START}{UPPER}*{LOWER}+|{START}{UPPER}+{LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# (splitting expression, whole words skip the merges) → llama.cpp's name for both.
SPLITTERS: dict[tuple[str, bool], str] = {
    (WORDS, False): "gpt-2",
    (ANY_CASE % r"\p{N}{1,3}", True): "llama-bpe",
    (ANY_CASE % r"\p{N}{1,3}", False): "smaug-bpe",
    (ANY_CASE % r"\p{N}", False): "qwen2",
    (CAPITALS, True): "tekken",
}
# One digit a token, then GPT-2's rule.
DIGITS_FIRST = "starcoder"
# llama.cpp must split these as the tokenizer does before a SentencePiece file is written.
PROBES = (
    "Привет! Как твои дела сегодня, 12.05.2024?",
    "Ёжик — это хорошо…\n\nА 1000 ёжиков  лучше: «колючих», да.",
    "Hello, world! It's 42 °C.\tTabs, too.",
    "Съешь ещё этих мягких французских булок 😊 да выпей же чаю",
)


@dataclass(frozen=True)
class Vocabulary:
    """`kind`: GGUF's tokenizer model; `begins`: a beginning token is set before texts that have none; `prefix`: see
    SentencePiece; `notes`: what an operator should know."""

    kind: Literal["gpt2", "llama"]
    splitter: str
    pieces: tuple[str, ...]
    types: tuple[int, ...]
    begins: bool
    special: Mapping[str, int]
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    prefix: bool | None = None
    notes: tuple[str, ...] = field(default=())


def read(tokenizer: Any, size: int, ends: Sequence[int], prompts: Sequence[str] = ()) -> Vocabulary:
    """The vocabulary of a transformers tokenizer for a model of `size` embeddings.

    `ends`: tokens that end an answer; `prompts`: rendered dialogues, on which the choices are checked. Unsupported
    names the part that llama.cpp has no counterpart for.
    """
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise Unsupported(f"{type(tokenizer).__name__} has no fast form (tokenizer.json), which GGUF needs")
    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    if len(tokenizer) > size:
        raise SourceUnusable(
            f"the tokenizer has {len(tokenizer)} tokens, the model's embeddings only {size}: they belong to different "
            "models"
        )
    make = _sentencepiece if spec["model"].get("byte_fallback") else _byte_level
    if spec["model"]["type"] != "BPE":
        raise Unsupported(f"{spec['model']['type']} tokenizers cannot be exported, only BPE ones")
    return make(tokenizer, spec, size, special_ids(tokenizer, ends), prompts)


def special_ids(tokenizer: Any, ends: Sequence[int]) -> dict[str, int]:
    """GGUF's names of special tokens → ids. Besides the end of text up to two more tokens may end an answer."""
    named = {
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "unk": tokenizer.unk_token_id,
        "pad": tokenizer.pad_token_id,
    }
    others = [end for end in sorted(ends) if end != tokenizer.eos_token_id]
    named |= dict(zip(("eot", "eom"), others, strict=False))
    return {name: value for name, value in named.items() if value is not None}


def splitter_of(spec: Mapping[str, Any]) -> str:
    """llama.cpp's name for how a byte-level tokenizer cuts texts before merging; Unsupported if it has none."""
    steps = (spec["pre_tokenizer"] or {}).get("pretokenizers") or [spec["pre_tokenizer"] or {}]
    last, ignore = steps[-1], bool(spec["model"].get("ignore_merges"))
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        raise Unsupported(f"the tokenizer's splitting ({_types(steps)}) has no counterpart in llama.cpp")
    name = None
    if len(steps) == 1 and last.get("use_regex", True):
        name = SPLITTERS.get((WORDS, ignore))
    elif len(steps) == 2 and steps[0]["type"] == "Split" and not last.get("use_regex", True):
        whole = steps[0]["behavior"] == "Isolated" and not steps[0].get("invert")
        name = SPLITTERS.get((steps[0]["pattern"].get("Regex", ""), ignore)) if whole else None
    elif len(steps) == 2 and steps[0]["type"] == "Digits" and not ignore:
        name = DIGITS_FIRST if steps[0]["individual_digits"] and last.get("use_regex", True) else None
    if name is None:
        raise Unsupported(
            f"the tokenizer's splitting ({_types(steps)}) is none of those known here to llama.cpp's counterpart: "
            f"{', '.join(sorted({*SPLITTERS.values(), DIGITS_FIRST}))}"
        )
    return name


def _types(steps: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(step.get("type", "none")) for step in steps)


def _byte_level(
    tokenizer: Any, spec: Mapping[str, Any], size: int, special: dict[str, int], _: Sequence[str]
) -> Vocabulary:
    splitter = splitter_of(spec)
    notes: tuple[str, ...] = ()
    if (normalizer := spec["normalizer"]) is not None:
        if normalizer["type"] != "NFC":
            raise Unsupported(f"llama.cpp does not apply the tokenizer's normalizer {normalizer['type']}")
        notes = ("llama.cpp does not compose Unicode (NFC): send composed texts, as keyboards do",)
    pieces, types = _pieces(tokenizer, spec, size, lambda _: NORMAL)
    merges = tuple(one if isinstance(one, str) else " ".join(one) for one in spec["model"]["merges"])
    begins = begins_texts(tokenizer)
    return Vocabulary("gpt2", splitter, pieces, types, begins, special, merges=merges, notes=notes)


def begins_texts(tokenizer: Any) -> bool:
    """Whether serving sets a beginning token before a text that has none (models/engines/prompts.py `encode`)."""
    begin = tokenizer.bos_token_id
    return begin is not None and tokenizer("")["input_ids"][:1] == [begin]


def _pieces(
    tokenizer: Any, spec: Mapping[str, Any], size: int, kind: Callable[[str], int]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Pieces and types by id; ids without a token are filled with unused ones."""
    pieces = [f"[PAD{at}]" for at in range(size)]
    types = [UNUSED] * size
    for piece, at in spec["model"]["vocab"].items():
        pieces[at], types[at] = piece, kind(piece)
    for added in spec["added_tokens"]:
        own = UNKNOWN if types[added["id"]] == UNKNOWN else CONTROL if added["special"] else USER_DEFINED
        pieces[added["id"]], types[added["id"]] = added["content"], own
    return tuple(pieces), tuple(types)


def _sentencepiece(
    tokenizer: Any, spec: Mapping[str, Any], size: int, special: dict[str, int], prompts: Sequence[str]
) -> Vocabulary:
    unknown = tokenizer.unk_token

    def kind(piece: str) -> int:
        if piece == unknown:
            return UNKNOWN
        return BYTE if len(piece) == 6 and piece.startswith("<0x") else NORMAL

    pieces, types = _pieces(tokenizer, spec, size, kind)
    if types.count(BYTE) != 256:
        raise Unsupported("the tokenizer falls back to bytes but has no 256 byte tokens (<0x00> … <0xFF>)")
    scores = _scores(spec, pieces)
    ids = {piece: at for at, piece in enumerate(pieces)}
    texts = tuple(piece for piece, own in zip(pieces, types, strict=True) if own in (CONTROL, USER_DEFINED))
    with_space, without = (SentencePiece(ids, scores, texts, prefix) for prefix in (True, False))
    plain = with_space if _prefixes(spec) else without
    for text in PROBES:
        if plain.encode(text) != tokenizer(text, add_special_tokens=False)["input_ids"]:
            raise Unsupported(
                "the tokenizer's merges do not follow from scores of its pieces, as llama.cpp's SentencePiece needs "
                f"(they differ on {text!r})"
            )
    chosen, notes = _prefix(tokenizer, plain, without if plain is with_space else with_space, prompts)
    return Vocabulary(
        "llama",
        "default",
        pieces,
        types,
        begins_texts(tokenizer),
        special,
        scores=scores,
        prefix=chosen.prefix,
        notes=notes,
    )


def _prefix(
    tokenizer: Any, plain: SentencePiece, other: SentencePiece, prompts: Sequence[str]
) -> tuple[SentencePiece, tuple[str, ...]]:
    """Whether a space goes before texts. llama.cpp sets one after special tokens too, newer tokenizers do not: then the
    setting is the one that leaves rendered dialogues as they were trained."""

    def wrong(way: SentencePiece) -> int:
        return sum(way.encode(text) != tokenizer(text, add_special_tokens=False)["input_ids"] for text in prompts)

    chosen = other if wrong(other) < wrong(plain) else plain
    if missed := wrong(chosen):
        return chosen, (
            f"llama.cpp puts a space token after special tokens where the tokenizer does not: {missed} of "
            f"{len(prompts)} test dialogues differ by it",
        )
    return chosen, ()


def _prefixes(spec: Mapping[str, Any]) -> bool:
    """Whether the tokenizer puts a space before a text."""
    parts = [spec["normalizer"], spec["pre_tokenizer"]]
    steps = [step for part in parts if part for step in part.get("normalizers", part.get("pretokenizers", [part]))]
    for step in steps:
        if step["type"] == "Prepend" and step["prepend"] == SPACE:
            return True
        if step["type"] == "Metaspace":
            return bool(step.get("prepend_scheme", "always") != "never")
    return False


def _scores(spec: Mapping[str, Any], pieces: Sequence[str]) -> tuple[float, ...]:
    """The earlier a piece is merged, the higher its score; pieces that no merge makes come last."""
    rank: dict[str, int] = {}
    for at, one in enumerate(spec["model"]["merges"]):
        left, right = one.split(" ") if isinstance(one, str) else one
        rank.setdefault(left + right, at)
    return tuple(-float(rank.get(piece, len(spec["model"]["merges"]))) for piece in pieces)
