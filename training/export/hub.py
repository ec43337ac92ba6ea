"""`otklik export hub`: a model folder goes to a repository on a hub in one commit, with a model card.

Only files that a model consists of are sent: no data rows, no checkpoints, nothing hidden. The token comes from the
settings and appears in no message. Knows nothing of how the folder was made.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from training.export.card import card
from training.export.errors import HubRefused, SourceUnusable, ToolMissing
from training.export.settings import HubSettings

SENT = (
    "*.safetensors",
    "*.gguf",
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "model.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template.*",
    "thresholds.json",
    "provenance.json",
    "Modelfile",
    "LICENSE*",
    "NOTICE*",
)
CARD = "README.md"


def upload(
    folder: Path, repository: str, settings: HubSettings, *, private: bool = False, licence: str | None = None
) -> str:
    """Send the folder's model to `repository` (owner/name), creating it if need be; returns the commit's address.

    A README.md in the folder is sent as it is; without one a card is written. SourceUnusable, ToolMissing, HubRefused.
    """
    files = sendable(folder)
    if settings.token is None:
        raise HubRefused("TRAINING_HUB_TOKEN is not set: put an access token with write permission into .env")
    if find_spec("huggingface_hub") is None:
        raise ToolMissing("uploading needs the package huggingface_hub: pip install -e '.[ml]'")
    own = folder / CARD
    text = own.read_text(encoding="utf-8") if own.is_file() else card(folder, repository, licence)
    return _send(files, text, repository, settings, private)


def sendable(folder: Path) -> list[Path]:
    """The files of a model, sorted; SourceUnusable if there are no weights."""
    found = {path for pattern in SENT for path in folder.glob(pattern) if path.is_file()}
    if not any(path.suffix in (".safetensors", ".gguf") for path in found):
        raise SourceUnusable(f"{folder} holds no weights (*.safetensors, *.gguf): name a model's or adapter's folder")
    return sorted(path for path in found if not path.name.startswith("."))


def _send(files: list[Path], text: str, repository: str, settings: HubSettings, private: bool) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    secret = settings.token.get_secret_value() if settings.token else ""
    hub = HfApi(endpoint=settings.url.rstrip("/"), token=secret)
    parts = [CommitOperationAdd(path.name, path) for path in files]
    parts.append(CommitOperationAdd(CARD, text.encode()))
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        return str(hub.create_commit(repository, parts, commit_message="Upload with otklik").commit_url)
    except HfHubHTTPError as error:
        advice = {401: "the token is wrong or has expired", 403: "the token may not write there"}
        said = advice.get(error.response.status_code) or (error.server_message or "no reason given")
        raise HubRefused(_clean(f"{settings.url} refuses {repository}: {said}", secret)) from None
    except HFValidationError as error:
        raise HubRefused(_clean(f"{repository} is no name of a repository (owner/name): {error}", secret)) from None
    except Exception as error:
        # Which HTTP library raises is the client's own affair, and no traceback may show the token.
        words = f"{settings.url} cannot be used ({type(error).__name__}: {error})"
        raise HubRefused(_clean(words, secret)) from None


def _clean(text: str, secret: str) -> str:
    return text.replace(secret, "…") if secret else text
