"""In which encoding a text file is, where it stops being that, and which command converts it. Knows bytes, no format.

Guessing is for Russian texts. What is guessed surely is read (UTF-8, any file with a byte order mark, UTF-16 without
one, Windows-1251); what only looks like KOI8-R or DOS, or like nothing, is refused with the command that converts it.
"""

from __future__ import annotations

import codecs
import lzma
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from training.data.reading.records import Unreadable

SNIFFED = 1 << 20
WEIGHED = 1 << 14  # bytes that a guess by letters needs at most
CHUNK = 1 << 16
PACKED = ".xz"
# UTF-32's mark begins as UTF-16's does.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CERTAIN = ("utf-8", *(name for _, name in MARKS))
WIDE = ("utf-16", "utf-32", "utf-16-le", "utf-16-be")
# Read with a word in the log.
TAKEN = {"cp1251": "Windows-1251", "utf-16-le": "UTF-16 without a mark", "utf-16-be": "UTF-16 without a mark"}
ICONV = {
    "cp1251": "CP1251",
    "koi8-r": "KOI8-R",
    "cp866": "CP866",
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
    "utf-32": "UTF-32",
}
NARROW = {"cp1251": "cp1251", "koi8_r": "koi8-r", "cp866": "cp866"}
_ODD = re.compile(rb"[\x80-\xff]")
_WORD = re.compile(r"[А-Яа-яЁё]{2}")
FEW = 12  # bytes that say too little to be no Russian


def guess(beginning: bytes) -> str:
    """The encoding that fits a file's first bytes, which may end inside a character; "" if none does."""
    for mark, name in MARKS:
        if beginning.startswith(mark):
            return name
    if wide := _wide(beginning):
        return wide
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
        return "utf-8"
    except UnicodeDecodeError:
        return "utf-8" if _mostly_utf8(beginning) else _by_letters(beginning)


def choose(path: Path, name: str, wanted: str | None) -> tuple[str, str]:
    """`(encoding, word for the log or "")` to read a file in. Unreadable if `wanted` cannot be it, or nothing can."""
    with _opened(path) as handle:
        beginning = handle.read(SNIFFED)
    found = guess(beginning)
    if wanted is not None:
        _require(path, name, _codec(name, wanted), found, beginning)
        # A mark is no text, whoever names the encoding.
        return ("utf-8-sig" if _codec(name, wanted) == "utf-8" else wanted), ""
    if found in CERTAIN:
        return found, ""
    if found in TAKEN:
        return found, TAKEN[found]
    raise fault(path, name, "utf-8")


def fault(path: Path, name: str, encoding: str) -> Unreadable:
    """Where a file stops being in an encoding, what it looks like from there, and what to do."""
    codec = _codec(name, encoding)
    with _opened(path) as handle:
        line, byte, before, rest = _break(handle, codec)
    label = ICONV.get(codec, encoding)
    place = f"{name}:{line}"
    likely = guess(rest)
    if likely in ("", codec) or codecs.lookup(likely).name == codec:
        mend = _command(path, ICONV.get(codec, codec), "-c ")
        return Unreadable(place, f"byte {byte} is no {label}; mend that line, or leave out what cannot be read: {mend}")
    looks = ICONV[likely]
    if codec in ("utf-8", "utf-8-sig") and before:
        return Unreadable(
            place,
            f"byte {byte} is no {label}, though what stands before it is; from there on it looks like {looks}: convert "
            f"that part by itself: tail -n +{line} | iconv -f {looks} -t UTF-8",
        )
    return Unreadable(
        place,
        f"byte {byte} is no {label}; the file looks like {looks}: name it with `encoding: {likely}`, or convert it: "
        f"{_command(path, looks)}",
    )


def require_utf8(path: Path) -> None:
    """Unreadable if a file that this product wrote as UTF-8 is in another encoding by now; a mark is no fault."""
    with _opened(path) as handle:
        found = guess(handle.read(SNIFFED))
    if found not in ("utf-8", "utf-8-sig"):
        raise fault(path, path.name, "utf-8")


def _require(path: Path, name: str, codec: str, found: str, beginning: bytes) -> None:
    """Unreadable for an encoding that would read the file without an error, and as nonsense."""
    narrow = codec not in CERTAIN and not codec.startswith("utf")
    if found in ("utf-8", "utf-8-sig") and narrow and not beginning.isascii():
        raise Unreadable(name, f"is UTF-8, not {ICONV.get(codec, codec)}: leave `encoding` out")
    if found in WIDE and not codec.startswith(("utf-16", "utf-32")):
        raise Unreadable(
            name,
            f"is {ICONV[found]}, not {ICONV.get(codec, codec)}: leave `encoding` out, or convert it: "
            f"{_command(path, ICONV[found])}",
        )


def _codec(name: str, encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise Unreadable(name, f"there is no encoding '{encoding}'; e.g. utf-8 or cp1251") from None


def _opened(path: Path) -> IO[bytes]:
    return lzma.open(path) if path.suffix.lower() == PACKED else path.open("rb")


def _command(path: Path, source: str, options: str = "") -> str:
    packed = path.suffix.lower() == PACKED
    plain = path.with_suffix("") if packed else path
    into = shlex.quote(str(plain.with_name(f"{plain.stem}.utf-8{plain.suffix}")))
    given = shlex.quote(str(path))
    target = f"-f {source} -t UTF-8"
    return (
        f"xz -dc {given} | iconv {options}{target} > {into}" if packed else f"iconv {options}{target} {given} > {into}"
    )


def _break(handle: IO[bytes], codec: str) -> tuple[int, int, bool, bytes]:
    """`(line, byte, whether letters beyond ASCII came before, bytes from that line's fault on)`, both from 1."""
    decoder = codecs.getincrementaldecoder(codec)()
    line, read, letters = 1, 0, False
    while chunk := handle.read(CHUNK):
        state = decoder.getstate()
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError:
            decoder.setstate(state)
            good, index = _one_by_one(decoder, chunk)
            rest = chunk[max(0, index) :] + handle.read(CHUNK)
            return line + good.count("\n"), read + index + 1, letters or not good.isascii(), rest
        line, read, letters = line + text.count("\n"), read + len(chunk), letters or not text.isascii()
    return line, read, letters, b""


def _one_by_one(decoder: codecs.IncrementalDecoder, chunk: bytes) -> tuple[str, int]:
    """The text before the first character that cannot be decoded, and the index that it begins at."""
    good: list[str] = []
    for index in range(len(chunk)):
        begun = len(decoder.getstate()[0])
        try:
            good.append(decoder.decode(chunk[index : index + 1]))
        except UnicodeDecodeError:
            return "".join(good), index - begun
    return "".join(good), len(chunk)


def _wide(beginning: bytes) -> str:
    """UTF-16 without a mark: every second byte is 0 or 4 (Latin, Cyrillic), which no other encoding's letters are."""
    part = beginning[:WEIGHED]
    if len(part) < 4:
        return ""
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        high, low = part[first::2], part[1 - first :: 2]
        if _share(high, (0, 4)) > 0.8 and _share(low, (0, 4)) < 0.2:
            return name
    return ""


def _share(part: bytes, values: Sequence[int]) -> float:
    return sum(map(part.count, values)) / max(1, len(part))


def _mostly_utf8(beginning: bytes) -> bool:
    """Whether more whole characters beyond ASCII than broken places stand there: UTF-8 that was damaged."""
    text = beginning.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return sum(not char.isascii() for char in text) - broken > broken


def _by_letters(beginning: bytes) -> str:
    """The likeliest of the encodings with a byte a letter; Windows-1251 where too few letters tell."""
    from charset_normalizer import from_bytes

    first = _ODD.search(beginning)
    start = first.start() if first else 0
    found = from_bytes(beginning[start : start + WEIGHED], cp_isolation=list(NARROW)).best()
    if found is not None:
        return NARROW[found.encoding]
    return (
        "cp1251" if len(_ODD.findall(beginning)) < FEW and _WORD.search(beginning.decode("cp1251", "replace")) else ""
    )
