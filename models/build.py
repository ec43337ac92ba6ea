"""From settings to a responder: loads engine, adapters and classifier. The only place that chooses between them.

Heavy imports happen inside. Knows nothing of Redis.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from models.classifier import Classifier, LexiconClassifier
from models.engine import Engine
from models.errors import AdapterBroken, ClassifierBroken, ModelMissing
from models.intake import Intake
from models.judging import Judge
from models.metrics import Metrics
from models.responder import Responder
from models.scheduling import Limits
from models.serving import Routes
from models.settings import BUNDLED, STARTER, ModelsSettings
from storage.presets import Presets

if TYPE_CHECKING:
    from models.reader import Reader

log = structlog.get_logger(__name__)


def build_responder(
    settings: ModelsSettings, presets: Presets, *, worker: str = "local", metrics: Metrics | None = None
) -> Responder:
    """Load everything. ModelsError says what is missing and which setting to change."""
    engine, classifier = load_models(settings, presets)
    judge = Judge(classifier)
    intake = Intake(
        engine,
        judge,
        presets,
        candidates=settings.candidates if classifier else 1,
        max_new_tokens=settings.max_new_tokens,
        turns=settings.turns_kept(),
        routes=Routes(active_adapter(settings, find_adapters(settings))),
        reader=build_reader(settings, presets),
    )
    # Only where rows share a pass does company pay for waiting.
    window = settings.window_ms / 1000 if settings.engine == "transformers" else 0.0
    limits = Limits(settings.batch, settings.tokens, settings.prefill_tokens, window)
    log.info("models ready", base=engine.base_model, adapters=sorted(engine.adapters), classifier=judge.name)
    return Responder(
        engine,
        judge,
        intake,
        limits,
        retries=settings.retries,
        worker=worker,
        metrics=metrics,
        relevance=settings.relevance,
    )


def load_models(settings: ModelsSettings, presets: Presets) -> tuple[Engine, Classifier | None]:
    """The engine with its own adapters, and the classifier; ModelsError if one of them cannot be had."""
    classifier = build_classifier(settings)
    if classifier is not None:
        check_labels(classifier, presets)
    engine = build_engine(settings, presets)
    for adapter_id, folder in find_adapters(settings).items():
        engine.load_adapter(adapter_id, folder)
    return engine, classifier


def build_engine(settings: ModelsSettings, presets: Presets) -> Engine:
    """The engine that the settings name."""
    if settings.engine == "echo":
        from models.engines.echo import EchoEngine

        return EchoEngine()
    if settings.engine == "openai":
        from models.engines.openai import OpenAIEngine

        return OpenAIEngine(settings, presets)
    if _missing(settings.base_path()):
        raise ModelMissing(
            f"there is no base model in {settings.base_path()}; set MODELS_BASE to a folder or hub id of a causal "
            "language model, or MODELS_ENGINE=echo to run without one"
        )
    from models.engines.transformers import TransformersEngine, load_base

    return TransformersEngine(load_base(settings), presets, tokens=settings.tokens)


def build_classifier(settings: ModelsSettings) -> Classifier | None:
    """The classifier that the settings name; None for `none`. ClassifierBroken if it cannot be loaded."""
    where = settings.classifier_path()
    if where == "none":
        return None
    if where == "lexicon":
        return LexiconClassifier()
    if _missing(where):
        raise ClassifierBroken(
            f"there is no emotion classifier in {where}; set MODELS_CLASSIFIER to a folder or hub id, "
            "or to none to leave answers unchecked"
        )
    from models.sequence_classifier import SequenceClassifier

    return SequenceClassifier.load(where, device=settings.device)


def build_reader(settings: ModelsSettings, presets: Presets) -> Reader | None:
    """What «авто» goes by; None where the presets do not ask for it, or nothing is generated anyway."""
    if settings.engine == "echo" or not presets.auto.kinds:
        return None
    from models.reader import FOLDER, load_reader

    return load_reader(STARTER / "base" / FOLDER)


def check_labels(classifier: Classifier, presets: Presets) -> None:
    """Answers of a preset whose labels the classifier lacks go unchecked: said for each; ClassifierBroken if it is all
    of them."""
    unchecked = [preset for preset in presets.presets if not set(preset.labels) & set(classifier.labels)]
    if len(unchecked) == len(presets.presets):
        raise ClassifierBroken(
            f"the emotion classifier {classifier.id} knows none of the presets' labels (it has: "
            f"{', '.join(classifier.labels)}); set MODELS_CLASSIFIER to one that does, name its labels in the presets "
            "file, or set it to none to leave answers unchecked"
        )
    for preset in unchecked:
        log.warning("answers of this preset go unchecked", preset=preset.id, labels=preset.labels)
    if unnamed := sorted(set(classifier.labels) - set(presets.auto.policy)):
        log.warning("auto answers these as its first preset: name them in auto.policy", labels=unnamed)


def find_adapters(settings: ModelsSettings) -> dict[str, Path]:
    """Adapter id → folder: the starter's own with the starter, and those of MODELS_ADAPTERS by folder name."""
    found: dict[str, Path] = {}
    bundled = STARTER / "adapter"
    if settings.base == BUNDLED and settings.engine == "transformers" and _is_adapter(bundled):
        found[_starter_id(bundled)] = bundled
    for folder in settings.adapters:
        folders = [folder] if _is_adapter(folder) else sorted(sub for sub in folder.glob("*") if _is_adapter(sub))
        if not folders:
            raise AdapterBroken(f"no adapter in {folder}: MODELS_ADAPTERS needs folders with adapter_config.json")
        for sub in folders:
            if sub.name in found:
                raise AdapterBroken(f"two adapters are named {sub.name}: rename a folder named in MODELS_ADAPTERS")
            found[sub.name] = sub
    return found


def active_adapter(settings: ModelsSettings, folders: dict[str, Path]) -> str | None:
    """What `arm="active"` means: MODELS_ACTIVE_ADAPTER, else the starter's adapter, else the base model itself."""
    wanted = settings.active_adapter
    if wanted is not None:
        if wanted not in folders and wanted != "base":
            raise AdapterBroken(
                f"MODELS_ACTIVE_ADAPTER={wanted} is none of: {', '.join(sorted(folders)) or 'no adapter'}"
            )
        return None if wanted == "base" else wanted
    return next((name for name, folder in folders.items() if folder == STARTER / "adapter"), None)


def _missing(where: str) -> bool:
    """Whether a folder, not a hub id, is named and is not there; told before torch takes its seconds to load."""
    return Path(where).is_absolute() and not Path(where).is_dir()


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def _starter_id(folder: Path) -> str:
    """The starter's adapter is named by its content, so that provenance tells one release's from another's."""
    weights = folder / "adapter_model.safetensors"
    digest = hashlib.sha256(weights.read_bytes() if weights.is_file() else b"").hexdigest()
    return f"starter-{digest[:8]}"
