"""`otklik reply` and `otklik classify`: the worker's own code without Redis, on a text or on JSON lines.

Answers go to standard output, in the order of the input; logs to standard error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TextIO

from pydantic import ValidationError

from models.build import build_classifier, build_responder
from models.classifier import present
from models.errors import ModelsError
from models.jobs import Task
from models.logs import log_to_stderr
from models.responder import Responder
from models.settings import ModelsSettings
from storage.contracts import ChatReply, ChatRequest, ReplyState, now
from storage.presets import Presets
from storage.settings import StorageSettings

CLASSIFY_ROWS = 64


class BadLine(ValueError):
    """An input line that cannot be understood; the text names its number."""


def reply(argv: Sequence[str] | None = None, instead: Callable[[str], str | None] = lambda text: None) -> int:
    """One answer for TEXT as plain text, or a `ChatReply` JSON line for every JSON line of standard input.

    `instead`: what is said to a TEXT that no model shall see; None: it may.
    """
    options = _reply_parser().parse_args(argv)
    if options.text and (said := instead(options.text)):
        print(said)
        return 0
    # Somebody who asks for one answer in a terminal sees it alone, and what is wrong.
    log_to_stderr(logging.WARNING if options.text and sys.stderr.isatty() else logging.INFO)
    try:
        presets = StorageSettings().load_presets()
        requests = _requests(options, presets, sys.stdin)
        first = next(requests, None)
        if first is None:
            return 0
        responder = build_responder(ModelsSettings(), presets, worker="command-line")
        for answer in answers(responder, _chain(first, requests)):
            if options.text:
                return _print_one(answer)
            print(answer.model_dump_json(), flush=True)
    except ValidationError:
        raise  # explained, setting by setting, where every command's errors are
    except (ModelsError, ValueError) as error:
        return _complain("reply", error)
    return 0


def classify(argv: Sequence[str] | None = None) -> int:
    """`{"text", "probabilities", "labels"}` a line for every TEXT, or for every JSON line of standard input."""
    parser = argparse.ArgumentParser(prog="otklik classify", description="Which emotions texts carry.")
    parser.add_argument("text", nargs="*", help="texts; none: JSON lines with `text` from standard input")
    options = parser.parse_args(argv)
    log_to_stderr()
    try:
        classifier = build_classifier(ModelsSettings())
        if classifier is None:
            raise ValueError("MODELS_CLASSIFIER=none: there is nothing to classify with")
        texts = iter(options.text) if options.text else (_text(raw, number) for number, raw in _lines(sys.stdin))
        while part := _take(texts, CLASSIFY_ROWS):
            for text, found in zip(part, classifier.classify(part), strict=True):
                rounded = {label: round(value, 4) for label, value in found.items()}
                labels = present(found, classifier.thresholds)
                print(
                    json.dumps({"text": text, "probabilities": rounded, "labels": labels}, ensure_ascii=False),
                    flush=True,
                )
    except ValidationError:
        raise  # explained, setting by setting, where every command's errors are
    except (ModelsError, ValueError) as error:
        return _complain("classify", error)
    return 0


def answers(responder: Responder, requests: Iterable[ChatRequest]) -> Iterator[ChatReply]:
    """Replies in the order of the requests, generated in batches as large as the engine's."""
    source = iter(requests)
    expected: list[str] = []
    ready: dict[str, ChatReply] = {}
    exhausted = False
    while expected or not exhausted:
        room = max(1, 2 * responder.limits.rows // responder.intake.candidates) - len(responder.waiting)
        fresh = [] if exhausted else _take(source, max(0, room - len(responder.running)))
        exhausted = exhausted or (not fresh and not responder.busy)
        expected += [request.request_id for request in fresh]
        for answer in responder.turn([Task(request) for request in fresh]):
            ready[answer.request_id] = answer
        while expected and expected[0] in ready:
            yield ready.pop(expected.pop(0))


def _reply_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otklik reply",
        description="One answer without Redis; without TEXT: JSON lines in, ChatReply JSON lines out.",
    )
    parser.add_argument("--emotion", default="neutral", help="id or Russian title, such as joy, радость or авто")
    parser.add_argument("--intensity", type=int, choices=(1, 2, 3), help="default: the preset's own")
    parser.add_argument("--persona", default="", help="who answers")
    parser.add_argument("--candidates", type=int, help="answers to choose from (default: MODELS_CANDIDATES)")
    parser.add_argument("--seed", type=int, help="same seed, same answer")
    parser.add_argument("--arm", default="active", help="adapter id, `active` or `base`")
    parser.add_argument("text", nargs="?", help="message to answer; none: JSON lines from standard input")
    return parser


def _requests(options: argparse.Namespace, presets: Presets, stdin: TextIO) -> Iterator[ChatRequest]:
    if options.text:
        yield _request({"text": options.text}, options, presets, 0)
        return
    for number, raw in _lines(stdin):
        yield _request(raw, options, presets, number)


def _request(raw: dict[str, Any], options: argparse.Namespace, presets: Presets, number: int) -> ChatRequest:
    """A request from one JSON object: `text` or `turns`, and whatever overrides the command's options."""
    known = {"text", "turns", "emotion", "intensity", "persona", "candidates", "seed", "arm", "request_id"}
    unknown = sorted(set(raw) - known)
    if unknown or ("text" in raw) == ("turns" in raw):
        raise BadLine(f"line {number}: needs `text` or `turns`, and only {', '.join(sorted(known))} beside it")
    name = str(raw.get("emotion", options.emotion))
    preset = presets.find(name)
    if preset is None:
        titles = ", ".join(item.title for item in presets.presets)
        raise BadLine(f"line {number}: unknown emotion {name!r}; there are {titles}, {presets.auto.title}")
    turns = raw.get("turns") or [{"role": "user", "text": raw.get("text")}]
    default = getattr(preset, "intensity", 2)
    source = json.dumps([number, turns], ensure_ascii=False)
    fields = {
        "request_id": raw.get("request_id") or hashlib.blake2b(source.encode(), digest_size=12).hexdigest(),
        "chat_id": 0,
        "user_id": 0,
        "turns": turns,
        "emotion": preset.id,
        "intensity": raw.get("intensity") or options.intensity or default,
        "deadline": now() + timedelta(days=1),
    }
    fields |= {key: raw.get(key, getattr(options, key)) for key in ("persona", "candidates", "seed", "arm")}
    try:
        return ChatRequest.model_validate(fields)
    except ValidationError as error:
        # Values are left out: they are what people wrote.
        problems = error.errors(include_input=False, include_url=False)
        wrong = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
        raise BadLine(f"line {number}: {wrong}") from None


def _lines(stdin: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(stdin, 1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
        except ValueError as error:
            raise BadLine(f"line {number} is not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise BadLine(f"line {number} is not a JSON object")
        yield number, raw


def _text(raw: dict[str, Any], number: int) -> str:
    text = raw.get("text")
    if not isinstance(text, str):
        raise BadLine(f"line {number} has no `text`")
    return text


def _print_one(answer: ChatReply) -> int:
    if answer.state is not ReplyState.DONE:
        print(f"otklik reply: no answer: {answer.state.value} {answer.reason or ''}".rstrip(), file=sys.stderr)
        return 1
    print(answer.text)
    return 0


def _complain(command: str, error: Exception) -> int:
    print(f"otklik {command}: {error}", file=sys.stderr)
    return 2


def _take(source: Iterator[Any], count: int) -> list[Any]:
    return [item for _, item in zip(range(count), source, strict=False)]


def _chain(first: ChatRequest, rest: Iterator[ChatRequest]) -> Iterator[ChatRequest]:
    yield first
    yield from rest
