"""What an adapter's folder may hold, and the one hash that names its content. Reads local folders, writes nothing.

The manifest lists every file with size and SHA-256, and the version of the prompt that the adapter was trained with;
the hash of the manifest is the adapter's. Nothing is unpickled: files that a loader could execute are not taken in.

AdapterFilesError
├── NotAnAdapter      the folder holds something that is not taken in
├── AdapterMissing    there is no (whole) adapter at the address
├── AdapterDamaged    the files are not what the manifest says
└── StoreUnavailable  the store cannot be reached, or there is no room
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MANIFEST = "otklik-adapter.json"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TAKEN = (".safetensors", ".json", ".txt", ".md", ".png")
MOST_FILES = 64
LARGEST_MANIFEST = 1 << 20
CHUNK = 1 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+-]{0,99}")
ADAPTER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# safetensors itself refuses longer headers.
LONGEST_HEADER = 100_000_000


class AdapterFilesError(ValueError):
    """Base of what can go wrong with an adapter's files; every text says what to do."""


class NotAnAdapter(AdapterFilesError):
    """The folder is no adapter, or holds files that are not taken in."""


class AdapterMissing(AdapterFilesError):
    """There is no whole adapter at the address."""


class AdapterDamaged(AdapterFilesError):
    """The bytes are not those that the adapter's hash names."""


class StoreUnavailable(AdapterFilesError):
    """The store cannot be reached, written or read now."""


class StoredFile(BaseModel):
    """One file of an adapter; `size` in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """All of an adapter. `prompt`: version of the prompt that it was trained with."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[1] = 1
    prompt: str | None = None
    files: dict[str, StoredFile]

    def body(self) -> bytes:
        """The manifest as it is stored: the same content always gives the same bytes."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1, sort_keys=True)
        return text.encode() + b"\n"

    @property
    def sha256(self) -> str:
        """The adapter's hash."""
        return hashlib.sha256(self.body()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files.values())


@dataclass(frozen=True)
class Local:
    """A local folder that may be taken in."""

    folder: Path
    manifest: Manifest


def adapter_id(sha256: str) -> str:
    """The name of an adapter with this hash."""
    return f"a-{sha256[:12]}"


def hash_adapter(folder: Path, prompt: str | None = None) -> str:
    """The hash of an adapter's folder. `prompt` is part of it; a fetched folder knows its own.

    NotAnAdapter if the folder holds something that is not taken in.
    """
    return read_folder(folder, prompt).manifest.sha256


def read_folder(folder: Path, prompt: str | None = None) -> Local:
    """Look at every file of a local folder. Hidden files (`.DS_Store`, a hub's `.cache`) are left out."""
    if not folder.is_dir():
        raise NotAnAdapter(f"{folder} is not a folder: name the one with {CONFIG} and {WEIGHTS}")
    found = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name != MANIFEST)
    if wrong := [path.name for path in found if not _may_be_taken(path)]:
        raise NotAnAdapter(
            f"{folder} holds {', '.join(wrong[:5])}: only plain files {', '.join(TAKEN)} are taken in; "
            "copy those that belong to the adapter into a folder of their own (cp -L for links)"
        )
    if missing := {CONFIG, WEIGHTS} - {path.name for path in found}:
        raise NotAnAdapter(f"{folder} has no {' and no '.join(sorted(missing))}: it is not an adapter's folder")
    if len(found) > MOST_FILES:
        raise NotAnAdapter(f"{folder} has {len(found)} files, an adapter at most {MOST_FILES}")
    if prompt is None:
        prompt = _known_prompt(folder)
    return Local(folder, Manifest(prompt=prompt, files={path.name: file_of(path) for path in found}))


def parse_manifest(body: bytes, where: str) -> Manifest:
    """A manifest that somebody stored; AdapterDamaged if it is none, or names a file that could lie elsewhere."""
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError as error:
        raise AdapterDamaged(f"the manifest at {where} cannot be read; run `otklik adapters verify`") from error
    if wrong := [name for name in manifest.files if not name_is_taken(name)]:
        raise AdapterDamaged(f"the manifest at {where} names {wrong[0]!r}, which is no file of an adapter")
    return manifest


def name_is_taken(name: str) -> bool:
    """Whether a file of this name may be part of an adapter: no folders, nothing hidden, nothing executable."""
    return NAME.fullmatch(name) is not None and name.endswith(TAKEN) and name != MANIFEST


def check_id(name: str) -> str:
    """An adapter's id that is safe as a folder's name; AdapterDamaged otherwise."""
    if ADAPTER_ID.fullmatch(name) is None:
        raise AdapterDamaged(f"{name!r} is no adapter's id")
    return name


def file_of(path: Path) -> StoredFile:
    """Size and hash of a local file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return StoredFile(size=size, sha256=digest.hexdigest())


def check_kind(folder: Path, kind: str) -> None:
    """NotAnAdapter unless the folder holds a whole adapter of this kind: `lora` or `gan`."""
    config = _json_object(folder / CONFIG)
    found = "gan" if config.get("kind") == "gan" else str(config.get("peft_type", "")).lower()
    if kind not in ("lora", "gan"):
        raise NotAnAdapter(f"there is no kind {kind!r}: say lora or gan")
    if found != kind:
        raise NotAnAdapter(f"{folder / CONFIG} is of the kind {found or 'unknown'!r}, not {kind!r}")
    for path in sorted(folder.glob("[!.]*.safetensors")):
        check_safetensors(path)


def kind_of(folder: Path) -> str:
    """The kind that an adapter's configuration tells: lora or gan."""
    return "gan" if _json_object(folder / CONFIG).get("kind") == "gan" else "lora"


def configured_base(folder: Path) -> str:
    """The base model that an adapter's configuration names; NotAnAdapter if it names none."""
    config = _json_object(folder / CONFIG)
    base = config.get("base_model_name_or_path") or config.get("base")
    if not isinstance(base, str):
        raise NotAnAdapter(f"{folder / CONFIG} does not tell its base model: say it (--base)")
    return base


def check_safetensors(path: Path) -> None:
    """NotAnAdapter if a safetensors file is cut off or is something else; the weights are not read.

    Layout: 8 bytes little-endian length of the header, a JSON header, then the tensors' bytes without gaps.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        header: Any = None
        if 2 <= length <= min(LONGEST_HEADER, size - 8):
            header = _as_json(handle.read(length))
    if not isinstance(header, dict):
        raise NotAnAdapter(f"{path} is no safetensors file")
    try:
        end = max((int(one["data_offsets"][1]) for key, one in header.items() if key != "__metadata__"), default=0)
    except (TypeError, KeyError, IndexError, ValueError) as error:
        raise NotAnAdapter(f"{path} is no safetensors file") from error
    if 8 + length + end != size:
        raise NotAnAdapter(f"{path} has {size} bytes and should have {8 + length + end}: it was not written whole")


def _may_be_taken(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and name_is_taken(path.name)


def _known_prompt(folder: Path) -> str | None:
    path = folder / MANIFEST
    return parse_manifest(path.read_bytes(), str(path)).prompt if path.is_file() else None


def _json_object(path: Path) -> dict[str, Any]:
    content = _as_json(path.read_bytes()) if path.is_file() else None
    if not isinstance(content, dict):
        raise NotAnAdapter(f"{path} is not there or is no JSON object: it is not an adapter's folder")
    return content


def _as_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
