"""Answers of a base model or an adapter to an evaluation's prompts, by the very engine that serves. Knows no metric.

Every prompt has a key, and its seeds come from the key, so that systems are compared on the same prompts and an
interrupted evaluation goes on with the same answers. Candidates are picked as the worker picks them, but an answer
that it would not send is kept: how often that happens is what is measured.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from models.engine import Broken, Finished, Row
from models.jobs import derive_seed, sampling_for
from models.prompt import Prompt
from models.selection import choose, defect, whole
from models.window import tidy
from storage.contracts import Candidate, Sampling
from storage.presets import Preset, Presets
from training.data.rows import Answer
from training.evaluation.samples import Sample
from training.recipes import RecipeError

if TYPE_CHECKING:
    from models.classifier import Classifier
    from models.engines.transformers import TransformersEngine
    from models.judging import Judge
    from training.evaluation.plain_engine import PlainEngine

log = structlog.get_logger(__name__)

# Prompts between two points at which an interrupted evaluation can go on; the batch runs empty there.
GROUP = 128


@dataclass(frozen=True)
class Asked:
    """A prompt of an evaluation. `preset` None: plain talk."""

    key: str
    row: Answer
    preset: Preset | None


@dataclass(frozen=True)
class Drawing:
    """How answers are drawn: `most` new tokens, `batch` rows at once. `greedy` takes the likeliest token always;
    otherwise sampling is as the preset and the base say."""

    seed: int = 0
    candidates: int = 1
    most: int = 96
    greedy: bool = False
    batch: int = 32


def ask(rows: Iterable[Answer], presets: Presets, most: int | None = None) -> list[Asked]:
    """The different prompts of rows, of every emotion and intensity in turn where there are more than `most`.

    RecipeError names a row whose emotion is no preset, or tells that there is no row.
    """
    found: dict[str, Asked] = {}
    for row in rows:
        one = Asked(key_of(row), row, _preset(row, presets))
        found.setdefault(one.key, one)
    if not found:
        raise RecipeError("data: no answer is held out, so there is nothing to ask; raise split.held_out")
    return evenly(list(found.values()), most)


def evenly(asked: Sequence[Asked], most: int | None) -> list[Asked]:
    """Up to `most` prompts, drawn from each emotion and intensity in turn, in the order of their keys."""
    cells: dict[tuple[str, int], list[Asked]] = {}
    for one in sorted(asked, key=lambda one: one.key):
        cells.setdefault((one.row.emotion or "", one.row.intensity), []).append(one)
    wanted = len(asked) if most is None else min(most, len(asked))
    found: list[Asked] = []
    for place in range(max(map(len, cells.values()))):
        found += [own[place] for _, own in sorted(cells.items()) if place < len(own)]
    return found[:wanted]


def key_of(row: Answer) -> str:
    """Names a prompt with its emotion, intensity and role, whatever set it comes from."""
    turns = [[turn.role, turn.text] for turn in row.prompt]
    text = json.dumps([turns, row.emotion, row.intensity, row.persona, row.system], ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def open_engine(base: str, presets: Presets, adapters: Sequence[Path] = ()) -> PlainEngine:
    """The serving engine on a base (folder, hub id or `bundled`) with adapters loaded by their paths."""
    from models.engines.transformers import load_base
    from models.settings import ModelsSettings
    from training.evaluation.plain_engine import PlainEngine

    settings = ModelsSettings(base=base, engine="transformers", adapters=(), active_adapter=None)
    engine = PlainEngine(load_base(settings), presets, tokens=settings.tokens)
    for folder in adapters:
        engine.load_adapter(str(folder), folder)
    return engine


def answers(
    base: str | TransformersEngine,
    adapter: Path | None,
    asked: Sequence[Asked],
    presets: Presets,
    *,
    system: str,
    drawing: Drawing | None = None,
    picker: Classifier | None = None,
) -> Iterator[Sample]:
    """One sample a prompt, in order. Prompts too long for the base are left out with a warning.

    Begin at a multiple of GROUP to go on where an earlier call stopped. `picker` chooses among candidates.
    """
    from models.judging import Judge

    engine = open_engine(base, presets) if isinstance(base, str) else base
    if adapter is not None:
        engine.load_adapter(str(adapter), adapter)
    work = _Work(engine, None if adapter is None else str(adapter), system, drawing or Drawing(), Judge(picker))
    for start in range(0, len(asked), GROUP):
        yield from work.group(asked[start : start + GROUP])


@dataclass
class _Open:
    """A prompt whose candidates are being written."""

    asked: Asked
    prompt: Any
    left: int
    candidates: dict[int, Candidate] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class _Work:
    engine: TransformersEngine
    adapter: str | None
    system: str
    drawing: Drawing
    judge: Judge

    def group(self, asked: Sequence[Asked]) -> list[Sample]:
        """Samples of some prompts, drawn together."""
        waiting = [one for item in asked if (one := self._open(item)) is not None]
        everything = list(waiting)
        running: dict[str, _Open] = {}
        while waiting or running:
            while waiting and self.engine.running + self.drawing.candidates <= self._room():
                one = waiting.pop(0)
                rows = self._rows(one)
                running |= {row.row_id: one for row in rows}
                self.engine.admit(rows)
            self._step(running)
        self._classify(everything)
        return [self._sample(one) for one in everything]

    def _room(self) -> int:
        return max(self.drawing.batch, self.drawing.candidates)

    def _open(self, asked: Asked) -> _Open | None:
        from models.errors import PromptTooLong
        from training.evaluation.plain_engine import PlainPrompt

        turns = tidy(asked.row.prompt)
        prompt: Any = PlainPrompt(turns, asked.row.system)
        if asked.preset is not None:
            prompt = Prompt(turns, asked.preset, asked.row.intensity, asked.row.persona)
        try:
            self.engine.measure(prompt, self.drawing.most)
        except PromptTooLong as error:
            log.warning("prompt left out", key=asked.key, reason=str(error))
            return None
        return _Open(asked, prompt, self.drawing.candidates)

    def _rows(self, one: _Open) -> list[Row]:
        sampling = self._sampling(one.asked.preset)
        return [
            Row(
                f"{one.asked.key}/{index}",
                one.prompt,
                sampling,
                derive_seed(f"{self.drawing.seed}:{one.asked.key}:{index}"),
                self.adapter,
            )
            for index in range(self.drawing.candidates)
        ]

    def _sampling(self, preset: Preset | None) -> Sampling:
        base = self.engine.sampling.model_copy(update={"max_new_tokens": self.drawing.most})
        sampling = base if preset is None else sampling_for(preset, self.drawing.most, base)
        return sampling.model_copy(update={"temperature": 0.0}) if self.drawing.greedy else sampling

    def _step(self, running: dict[str, _Open]) -> None:
        """A step's time is shared by the rows that it moved, so that samples' seconds add up to the whole."""
        started, moved = time.monotonic(), list(running.values())
        events = self.engine.step()
        share = (time.monotonic() - started) / len(moved)
        for one in moved:
            one.seconds += share
        for event in events:
            if isinstance(event, Broken):
                raise event.error
            if isinstance(event, Finished):
                one = running.pop(event.row_id)
                text = whole(event.text.strip()) if event.finish == "length" else event.text.strip()
                number = int(event.row_id.rsplit("/", 1)[1])
                one.candidates[number] = Candidate(text=text, fit=0.0, tokens=event.tokens, finish=event.finish)

    def _classify(self, group: Sequence[_Open]) -> None:
        """Probabilities of all candidates in one batch, where there is something to choose."""
        if self.drawing.candidates == 1 or self.judge.classifier is None:
            return
        places = [(one, number) for one in group if one.asked.preset for number in sorted(one.candidates)]
        found = self.judge.probabilities([one.candidates[number].text for one, number in places])
        for (one, number), row in zip(places, found, strict=True):
            if one.asked.preset is not None:
                one.candidates[number] = self.judge.fill(one.asked.preset, one.candidates[number], row)

    def _sample(self, one: _Open) -> Sample:
        chosen = self._chosen(one)
        row = one.asked.row
        return Sample(
            key=one.asked.key,
            system=self.system,
            prompt=row.prompt,
            emotion=None if one.asked.preset is None else one.asked.preset.id,
            intensity=row.intensity,
            reference=row.answer,
            answer=chosen.text,
            seed=self.drawing.seed,
            tokens=chosen.tokens,
            finished=chosen.finish == "stop",
            seconds=round(one.seconds, 6),
        )

    def _chosen(self, one: _Open) -> Candidate:
        """As serving chooses; the first one where serving would send none."""
        candidates = [one.candidates[number] for number in sorted(one.candidates)]
        message = one.asked.row.prompt[-1].text
        if one.asked.preset is not None:
            scored = self.judge.score(one.asked.preset, message, candidates)
            best = choose(scored, intensity=one.asked.row.intensity).candidate
            return best or candidates[0]
        return next((item for item in candidates if _sound(item.text, message)), candidates[0])


def _sound(text: str, message: str) -> bool:
    return defect(text, message) is None


def _preset(row: Answer, presets: Presets) -> Preset | None:
    if row.emotion is None:
        return None
    preset = presets.find(row.emotion)
    if not isinstance(preset, Preset):
        raise RecipeError(f"data: {row.origin or 'a row'} wants the emotion '{row.emotion}', no preset is called so")
    return preset
