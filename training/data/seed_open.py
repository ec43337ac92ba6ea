"""Open replies: what fits any message of a kind, for messages that the bot would otherwise answer with nonsense.

`<preset id>.txt` holds lines `kind|intensity|register|reply`, `subjects/<preset id>.txt` the same behind a subject
(`pets|bad|2|т|…`), `messages.txt` lines `kind|subject|register|message`, `broad.txt` the kind and subject of
messages of the seed corpus, which are learned in all their wordings, `typed.txt` lines like those of `messages.txt`
that are typed as people type and chosen so that single words mislead; the posts have a kind by their emotions. A row
joins a message with a reply of its kind, or with one of its subject where the model is told that, so that a small model
learns to tell kinds of messages apart and, where it knows nothing better, to answer openly. Knows no model.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from models.subjects import ABOUT, NONE, SUBJECTS, TALK
from storage.contracts import Turn
from storage.presets import Preset, Presets
from training.data import posts, seed_corpus
from training.data.seed_corpus import SeedError, SeedRow, held_out

FOLDER = Path(__file__).with_name("seed_open")
MESSAGES, TYPED, BROAD, SUBJECTS_IN = "messages.txt", "typed.txt", "broad.txt", "subjects"
FIRST = ("good", "bad", "plain", "asks", "advice")
# Short lines that lean on what was said before, which the model may not see.
FOLLOWING = (
    "yes", "no", "dunno", "detail", "thanks", "why", "laugh", "more", "better", "worse", "agree_do", "against", "bye",
)  # fmt: skip
KINDS = FIRST + FOLLOWING
# Short lines lean on what was said before; alone they have a tone at most.
TONES = {"thanks": "good", "laugh": "good", "better": "good", "worse": "bad"}
OF_SUBJECTS = ("good", "bad", "plain", "advice")
# Of a message and of a reply: ты, вы, or without an address.
REGISTERS = {"т": "ты", "в": "вы", "-": ""}
# How often a message with a subject gets a reply of that subject. One of two such replies is then likelier than one of
# a dozen open ones only if the model is rather sure of the subject.
OWN = 0.4
# The same where the message is told together with its subject.
OWN_IF_TOLD = 0.8
# How often a row is told its kind; the model keeps its own ear for messages of which a reader is not sure.
KIND_TOLD = 0.85


@dataclass(frozen=True)
class Message:
    """A person's message, of a kind, about a subject, `-` or, where nobody has told it, `?`."""

    source: str
    line: int
    kind: str
    subject: str
    register: str
    text: str
    first: str = ""
    """Of the seed corpus: the message as its block has it, which the split goes by."""

    @property
    def held_out(self) -> bool:
        """Whether the seed corpus's split keeps it for measuring."""
        return held_out(self.first or self.text)


Share = Literal["seed_open", "seed_kinds", "seed_follow", "seed_subjects", "seed_about", "seed_talk"]
SHARES: tuple[Share, ...] = get_args(Share)
# Those of which the template tells the model something.
TOLD: tuple[Share, ...] = ("seed_kinds", "seed_follow", "seed_about", "seed_talk")
POSTS = "posts"
# The subject of a typed message that nobody has told yet.
UNTOLD = "?"
FORMAL = re.compile(r"\b(?:вы|вас|вам|вами|ваш\w*)\b", re.IGNORECASE)
# Those that are felt at what is bad for the one who writes.
BAD = {"sadness", "fear", "anger", "disgust"}

Replies = Mapping[tuple[str, int], Sequence[tuple[str, str]]]  # (kind, intensity) → (register, reply)


def rows(presets: Presets, folder: Path | None = None, share: Share = "seed_open") -> list[SeedRow]:
    """A reply to every message in every preset at every intensity, but for messages that the seed corpus holds out.

    `seed_open` is first messages and replies that fit any of their kind, `seed_kinds` the same for the typed ones, the
    seed corpus's messages and the posts as well, `seed_follow` short lines alone, `seed_subjects` first messages, the
    seed corpus's and short lines with replies about subjects as well, `seed_about` those of them that have a subject,
    which the model is then told (`hints`), `seed_talk` what is said to the bot itself (`TALK`), told as well. Messages
    of the seed corpus, their other wordings and posts get one intensity each in every preset: they are many. A message
    with «вы» meets no reply with «ты», nor the other way round. A preset without a file has no rows.
    SeedError names a wrong line.
    """
    folder = folder or FOLDER
    told, short, talk = share == "seed_about", share == "seed_follow", share == "seed_talk"
    subjects = told or talk or share == "seed_subjects"
    given = (
        *messages(folder),
        *(broad(folder) if subjects or share == "seed_kinds" else ()),
        *(typed(folder) if told or talk or share == "seed_kinds" else ()),
        *(posted() if share == "seed_kinds" else ()),
    )
    asked = [one for one in given if not one.held_out and (subjects or (one.kind in FOLLOWING) == short)]
    if told:
        asked = [one for one in asked if one.subject in SUBJECTS and one.kind in OF_SUBJECTS]
    if talk:
        asked = [one for one in asked if topic(one)]
    found: list[SeedRow] = []
    for preset in presets.presets:
        known, own = replies(folder, preset), subject_replies(folder, preset) if subjects else {}
        for message in asked if known else ():
            chooser = random.Random(f"{preset.id}:{message.text}")
            for intensity in (1, 2, 3) if message.source in (MESSAGES, TYPED) else (chooser.randint(1, 3),):
                fit = _addressed(known[message.kind, intensity], message)
                if talk:
                    fit = _addressed(said(known, own, topic(message), intensity), message) or fit
                elif subjects and chooser.random() < (OWN_IF_TOLD if told else OWN):
                    fit = _addressed(own.get((f"{message.subject}|{message.kind}", intensity), ()), message) or fit
                if not fit:
                    cell = f"{message.kind}, intensity {intensity}, «{message.register}»"
                    raise SeedError(f"{preset.id}.txt", f"no reply fits {cell}: add one, with `-` for both addresses")
                found.append(
                    SeedRow(
                        message.source,
                        message.line,
                        topic(message) if talk else message.subject if message.subject in SUBJECTS else message.kind,
                        REGISTERS[message.register],
                        (Turn(role="user", text=message.text),),
                        preset.title,
                        intensity,
                        chooser.choice(fit),
                        first=message.first,
                    )
                )
    return found


def topic(message: Message) -> str:
    """Which of TALK is said to the bot itself, short lines included; "" if none."""
    found = message.kind if message.kind in FOLLOWING else message.subject
    return found if found in TALK and message.kind in (found, TALK[found]) else ""


def said(known: Replies, own: Replies, name: str, intensity: int) -> Sequence[tuple[str, str]]:
    """Replies to one of TALK: its own, or those to short lines of that name."""
    return own.get((f"{name}|{TALK[name]}", intensity)) or known[name, intensity]


def _addressed(given: Sequence[tuple[str, str]], message: Message) -> list[str]:
    return [text for register, text in given if register in (message.register, NONE)]


def hints(rows: Sequence[SeedRow], share: Share) -> list[dict[str, str]]:
    """What the template is told of each row of one of `TOLD`: the kind of its message, but for some (`KIND_TOLD`), and
    in the shares `seed_about` and `seed_talk` its subject."""
    kinds = {one.text: tone(one.kind) for one in (*posted(), *broad(), *typed(), *messages())}
    found: list[dict[str, str]] = []
    for row in rows:
        said = random.Random(f"told:{row.emotion}:{row.intensity}:{row.message}").random() < KIND_TOLD
        found.append({"told": kinds[row.message]} if said else {})
        if share in ("seed_about", "seed_talk"):
            found[-1]["about"] = row.subject
    return found


def tone(kind: str) -> str:
    """The kind itself, of a short line the one whose tone it has."""
    return kind if kind in FIRST else TONES.get(kind, "plain")


def messages(folder: Path | None = None) -> list[Message]:
    """All messages written for this; SeedError names the first wrong line."""
    found = []
    for line, (kind, subject, register, text) in _lines(folder or FOLDER, MESSAGES, 4):
        if kind not in KINDS or subject not in ABOUT or register not in ("т", "в") or not text:
            raise SeedError(
                f"{MESSAGES}:{line}",
                f"expected kind|subject or -|т or в|message, kind one of {', '.join(KINDS)}, subject one of "
                + ", ".join(ABOUT[:-1]),
            )
        found.append(Message(MESSAGES, line, kind, subject, register, text))
    return found


def typed(folder: Path | None = None) -> list[Message]:
    """Messages as people type them; none if there is no such file, SeedError names the first wrong line."""
    folder = folder or FOLDER
    if not (folder / TYPED).is_file():
        return []
    found = []
    for line, (kind, subject, register, text) in _lines(folder, TYPED, 4):
        if kind not in FIRST or subject not in (*ABOUT, UNTOLD) or register not in ("т", "в") or not text:
            wanted = f"expected kind|subject, - or ?|т or в|message, kind one of {', '.join(FIRST)}"
            raise SeedError(f"{TYPED}:{line}", f"{wanted}, subject one of {', '.join(ABOUT[:-1])}")
        found.append(Message(TYPED, line, kind, subject, register, text))
    return found


def broad(folder: Path | None = None) -> list[Message]:
    """The messages of the seed corpus whose kind and subject `broad.txt` tells, in all their wordings.

    None if there is no such file; SeedError names the first wrong line.
    """
    folder = folder or FOLDER
    if not (folder / BROAD).is_file():
        return []
    known: dict[str, SeedRow] = {}
    wordings: dict[str, dict[str, None]] = defaultdict(dict)
    for row in seed_corpus.load():
        if len(row.turns) == 1:
            known[row.message] = row
            wordings[row.message] |= dict.fromkeys(row.wordings)
    register = {name: letter for letter, name in REGISTERS.items()}
    found = []
    for line, (kind, subject, text) in _lines(folder, BROAD, 3):
        if kind not in FIRST or subject not in ABOUT or text not in known:
            raise SeedError(f"{BROAD}:{line}", "expected kind|subject or -|a message that the seed corpus has")
        for wording in (text, *wordings[text]):
            address = register[known[text].register]
            found.append(Message(BROAD, line, kind, subject, address, wording, first=text))
    return found


def posted() -> list[Message]:
    """The posts that are learned, as messages of which the emotions tell the kind; none of the others.

    Joy alone is `good`; sadness, fear, anger or disgust without joy `bad`; no emotion `plain`, unless it is a question.
    """
    found = []
    for line, post in enumerate(posts.load()[0], 1):
        joy, bad = "joy" in post.labels, bool(post.labels & BAD)
        calm = post.labels == {"neutral"} and not post.text.rstrip(" )").endswith("?")
        kind = "good" if joy and not bad else "bad" if bad and not joy else "plain" if calm else None
        if kind:
            register = "в" if FORMAL.search(post.text) else "т"
            found.append(Message(POSTS, line, kind, NONE, register, post.text))
    return found


def replies(folder: Path, preset: Preset) -> Replies:
    """The replies of a preset, none for an operator's own one without a file; SeedError names the first wrong line."""
    name = f"{preset.id}.txt"
    if not (folder / name).is_file():
        return {}
    found: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for line, (kind, intensity, register, text) in _lines(folder, name, 4):
        if kind not in KINDS or intensity not in ("1", "2", "3") or register not in REGISTERS or not text:
            raise SeedError(f"{name}:{line}", "expected kind|1–3|т, в or -|reply")
        found[kind, int(intensity)].append((register, text))
    return found


def subject_replies(folder: Path, preset: Preset) -> Replies:
    """The replies of a preset that are about a subject, by `subject|kind` and intensity; none without a file."""
    name = f"{SUBJECTS_IN}/{preset.id}.txt"
    if not (folder / name).is_file():
        return {}
    found: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for line, (subject, kind, intensity, register, text) in _lines(folder, name, 5):
        known = kind == TALK[subject] if subject in TALK else subject in SUBJECTS and kind in OF_SUBJECTS
        if not known or intensity not in ("1", "2", "3") or register not in REGISTERS or not text:
            raise SeedError(f"{name}:{line}", "expected subject|kind|1–3|т, в or -|reply")
        found[f"{subject}|{kind}", int(intensity)].append((register, text))
    return found


def _lines(folder: Path, name: str, parts: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate((folder / name).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != parts:
            raise SeedError(f"{name}:{number}", f"expected {parts} fields between '|'")
        yield number, fields
