"""A judge on this machine: any causal language model by folder or hub id, through the engine that serves answers.

The engine batches; one thread of its own steps it. Knows no criterion.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from concurrent.futures import Future
from itertools import count

from models.engine import Broken, Engine, Event, Finished, Row
from models.engines.chat_api import THOUGHTS
from models.errors import ModelsError, PromptTooLong
from models.prompt import Prompt
from storage.contracts import Sampling, Turn
from storage.presets import AutoPreset, Preset, Presets
from training.evaluation.judging.asking import JudgeFailed, Reply, TooLong
from training.evaluation.judging.settings import JudgeSettings

OTHER_TEMPERATURE = 0.7
IDLE = 0.2
CLOSED = "the judge was closed"
Asked = tuple[Row, Future[Reply]]


class LocalJudge:
    """See `asking.Judge`. The instructions stand where an emotion's system text stands in service."""

    def __init__(self, engine: Engine, settings: JudgeSettings) -> None:
        self.engine = engine
        self.settings = settings
        self._numbers = count()
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._running: dict[str, tuple[int, Future[Reply]]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="judge", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """What was asked for, the base model (with its weights' hash where small) and sampling."""
        shape = f"temperature {self.settings.temperature}, {self.settings.max_tokens} tokens"
        return f"{self.settings.model} {self.engine.base_model} {self.engine.prompt_version} {shape}"

    def ask(self, messages: list[dict[str, str]], seed: int, *, again: bool = False) -> Reply:
        """Wait for one reply."""
        if self._stopped.is_set():
            raise JudgeFailed(CLOSED)
        heat = max(self.settings.temperature, OTHER_TEMPERATURE) if again else self.settings.temperature
        sampling = Sampling(
            temperature=heat, top_p=1.0, repetition_penalty=1.0, max_new_tokens=self.settings.max_tokens
        )
        row = Row(f"q{next(self._numbers)}", prompt_of(messages), sampling, seed)
        future: Future[Reply] = Future()
        self._asked.put((row, future))
        return future.result()

    def close(self) -> None:
        """Stop the thread, then the engine."""
        self._stopped.set()
        self._thread.join()
        self.engine.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._take()
            if not self._running:
                continue
            try:
                events = self.engine.step()
            except Exception as error:
                self._fail(JudgeFailed(f"the judging model fails: {type(error).__name__}: {error}"))
                self.engine.reset()
                continue
            for event in events:
                self._tell(event)
        self._fail(JudgeFailed(CLOSED))
        while not self._asked.empty():
            self._asked.get()[1].set_exception(JudgeFailed(CLOSED))

    def _take(self) -> None:
        """Admit what waits; rests a moment where nothing is running."""
        while True:
            try:
                row, future = self._asked.get(timeout=IDLE) if not self._running else self._asked.get_nowait()
            except queue.Empty:
                return
            try:
                read = self.engine.measure(row.prompt, row.sampling.max_new_tokens)
                self.engine.admit([row])
            except PromptTooLong:
                future.set_exception(TooLong())
            except Exception as error:
                future.set_exception(JudgeFailed(f"the judging model fails: {type(error).__name__}: {error}"))
            else:
                self._running[row.row_id] = read, future

    def _tell(self, event: Event) -> None:
        if isinstance(event, Finished):
            read, future = self._running.pop(event.row_id)
            future.set_result(Reply(THOUGHTS.sub("", event.text).strip(), read, event.tokens))
        elif isinstance(event, Broken):
            _, future = self._running.pop(event.row_id)
            future.set_exception(JudgeFailed(f"the judging model fails: {event.error}"))

    def _fail(self, error: Exception) -> None:
        for _, future in self._running.values():
            future.set_exception(error)
        self._running.clear()


def prompt_of(messages: list[dict[str, str]]) -> Prompt:
    """The judge's messages as the engines take prompts."""
    system, *others = messages
    turns = tuple(Turn.model_validate({"role": one["role"], "text": one["content"]}) for one in others)
    return Prompt(turns, _preset(system["content"]), 2)


def load(settings: JudgeSettings) -> LocalJudge:
    """Load TRAINING_JUDGE_MODEL as the worker would load it as MODELS_BASE, by the other MODELS_ settings."""
    from models.engines.transformers import TransformersEngine, load_base
    from models.settings import ModelsSettings

    if settings.model is None:
        raise JudgeFailed("no judge is named: set TRAINING_JUDGE_MODEL, and TRAINING_JUDGE_URL where it is served")
    try:
        base = load_base(ModelsSettings().model_copy(update={"base": settings.model, "context": None}))
    except ModelsError as error:
        raise JudgeFailed(str(error).replace("MODELS_BASE", "TRAINING_JUDGE_MODEL")) from None
    return LocalJudge(TransformersEngine(base, _presets()), settings)


def _preset(system: str) -> Preset:
    # Engines remember prompts by the preset's id: another set of criteria is another preset.
    number = hashlib.blake2b(system.encode(), digest_size=6).hexdigest()
    return Preset(id=f"judge_{number}", emoji="", title="judge", labels=("judge",), system=system)


def _presets() -> Presets:
    auto = AutoPreset(id="auto", emoji="", title="", policy={})
    return Presets(intensity_words={1: "", 2: "", 3: ""}, presets=(_preset(""),), auto=auto)
