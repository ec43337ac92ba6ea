"""`MODELS_…` settings: which model, engine and classifier, how much at once. Knows nothing of how they are loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from storage.settings import Strict

STARTER = Path(__file__).with_name("starter")
BUNDLED = "bundled"


class ModelsSettings(Strict):
    """Settings of the worker; unknown names, wrong and contradictory values are refused at start, all at once."""

    model_config = SettingsConfigDict(
        env_prefix="MODELS_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    base: str = Field(default=BUNDLED, description="Base model: folder or hub id; `bundled` is the starter.")
    adapters: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="Adapters (LoRA or gan), comma-separated: folders of adapters or folders holding such folders.",
    )
    active_adapter: str | None = Field(
        default=None, description="Adapter of ordinary requests; unset: the starter's with the starter, else the base."
    )
    adapters_loaded: int = Field(
        default=8, ge=1, description="Adapters of the registry kept loaded; those that answer stay in any case."
    )
    engine: Literal["transformers", "openai", "echo"] = Field(default="transformers", description="What generates.")
    openai_url: str | None = Field(default=None, description="OpenAI-compatible server, such as http://host:8000/v1.")
    openai_key: SecretStr | None = Field(default=None, description="Its API key, where it wants one.")
    openai_model: str | None = Field(default=None, description="Model name to ask it for; adapters by their own ids.")
    openai_extensions: bool = Field(
        default=True, description="Send top_k, repetition_penalty, chat_template_kwargs too; off for strict servers."
    )
    openai_adapters: str | None = Field(
        default=None,
        description="Folder where that server (vLLM) sees the adapters' store; unset: it sees this worker's cache.",
    )
    openai_timeout: float = Field(default=60.0, gt=0, description="Seconds that one answer of it may take.")
    quantization: Literal["none", "nf4", "int8"] = Field(default="none", description="Weights, through bitsandbytes.")
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto: GPU if there is.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="auto: bfloat16 on a GPU (float16 if it has none), float32 on a CPU."
    )
    classifier: str = Field(
        default=BUNDLED, description="Folder or hub id; `bundled`; `lexicon` (with echo); `none`: answers unchecked."
    )
    candidates: int = Field(default=4, ge=1, le=64, description="Answers generated for one request; the best is kept.")
    batch: int = Field(default=32, ge=1, le=1024, description="Rows generated at once (candidates count one each).")
    tokens: int = Field(default=32768, ge=256, description="Prompt and new tokens in the batch at once (memory).")
    prefill_tokens: int = Field(default=4096, ge=64, description="Prompt tokens taken in between two decode steps.")
    window_ms: float = Field(default=5.0, ge=0, le=1000, description="An idle worker waits so long for company.")
    relevance: bool = Field(
        default=True,
        description="Of answers with the emotion, send the one that belongs to the message (engine transformers).",
    )
    retries: int = Field(default=1, ge=0, le=8, description="New rounds of candidates when none fits.")
    max_new_tokens: int = Field(default=96, ge=1, description="Longest answer.")
    turns: int | None = Field(
        default=None,
        ge=1,
        description="Newest turns of the dialogue in a prompt; unset: all that fit, with the starter the last message.",
    )
    context: int | None = Field(default=None, ge=64, description="Context in tokens; unset: the model's own.")
    shares_gpu: bool = Field(
        default=False, description="Unload the models while training asks for the GPU (TRAINING_DRAIN), then come back."
    )
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads; unset: OMP_NUM_THREADS, else all usable cores but one."
    )
    drain_seconds: float = Field(default=6.0, ge=0, description="How long a stopping worker finishes what it began.")
    stuck_seconds: float = Field(
        default=120.0, gt=0, description="A worker whose step takes longer (hung device) exits, and others take over."
    )
    metrics_listen: str | None = Field(default=None, description="host:port of the Prometheus page.")

    @field_validator("adapters", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part.strip()) for part in value.split(",") if part.strip())
        return value

    @field_validator(
        "active_adapter",
        "openai_url",
        "openai_key",
        "openai_model",
        "openai_adapters",
        "turns",
        "context",
        "threads",
        "metrics_listen",
        mode="before",
    )
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    def contradictions(self) -> list[str]:
        """Every pair of values that cannot both be meant, as advice."""
        return contradictions(self)

    def base_path(self) -> str:
        """Where the base model is: the starter's folder, or what MODELS_BASE names."""
        return str(STARTER / "base") if self.base == BUNDLED else self.base

    def turns_kept(self) -> int | None:
        """How many turns of a dialogue a prompt holds at most; None: all that fit. The starter is confused by more than
        the last message."""
        return self.turns or (1 if self.base == BUNDLED and self.engine == "transformers" else None)

    def classifier_path(self) -> str:
        """Where the classifier is, or `lexicon` or `none`; the echo engine's default is the lexicon."""
        if self.classifier != BUNDLED:
            return self.classifier
        return "lexicon" if self.engine == "echo" else str(STARTER / "classifier")


def contradictions(settings: ModelsSettings) -> list[str]:
    """Every pair of values that cannot both be meant, as advice."""
    openai = settings.engine == "openai"
    checks = {
        "MODELS_ENGINE=openai needs MODELS_OPENAI_URL": openai and not settings.openai_url,
        "MODELS_ENGINE=openai needs MODELS_OPENAI_MODEL": openai and not settings.openai_model,
        f"MODELS_OPENAI_URL is set but MODELS_ENGINE is {settings.engine}": not openai and settings.openai_url,
        "MODELS_OPENAI_ADAPTERS needs MODELS_ENGINE=openai": not openai and settings.openai_adapters,
        f"MODELS_QUANTIZATION={settings.quantization} needs MODELS_ENGINE=transformers": settings.quantization != "none"
        and settings.engine != "transformers",
        f"MODELS_CANDIDATES ({settings.candidates}) exceeds MODELS_BATCH ({settings.batch})": settings.candidates
        > settings.batch,
        f"MODELS_CONTEXT ({settings.context}) must exceed MODELS_MAX_NEW_TOKENS ({settings.max_new_tokens})": (
            settings.context is not None and settings.context <= settings.max_new_tokens
        ),
        "MODELS_OPENAI_URL must begin with http:// or https://": settings.openai_url
        and not re.match(r"^https?://", settings.openai_url),
        "MODELS_METRICS_LISTEN must be host:port": settings.metrics_listen
        and not re.match(r"^[^:]*:\d{1,5}$", settings.metrics_listen),
    }
    return [text for text, wrong in checks.items() if wrong]
