"""Smoke test of an adapter: a few harmless answers, made in the same batch as everybody else's, before anyone meets it.

Nobody waits for it: its rows are a handful more in passes that run anyway. It asks whether the adapter works at all
(finite numbers, words, no loop, an end), compared with what answers now, never whether it is better. Knows no queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from models.engine import Broken, Engine, Event, Finished, Row
from models.errors import EngineBroken, NotFinite, PromptTooLong, UnknownAdapter
from models.jobs import derive_seed, sampling_for
from models.prompt import Prompt
from models.selection import defect
from storage.contracts import Sampling, Turn
from storage.presets import Presets

MESSAGES = ("Привет", "Расскажи, как прошёл твой день", "Мне сегодня нужен совет", "Что ты думаешь о погоде?")
PROBE_STEPS = 2
# Row ids of requests never begin so: they are hashes.
MARK = "smoke/"
TOKENS = 64
SECONDS = 120.0
# A step that raises may be the fault of other rows in it: only the second time it is the tested adapter's.
MAX_CRASHES = 2


@dataclass
class Outcome:
    """What became of an adapter's rows: clean and ended answers out of `rows`; `broken`: why a row gave none."""

    rows: int = 0
    clean: int = 0
    ended: int = 0
    broken: str | None = None


def verdict(found: Outcome, reference: Outcome | None) -> str | None:
    """What is wrong with an adapter, None if it may answer. `reference`: the same test of what answers now."""
    if found.broken is not None:
        return found.broken
    if 2 * found.clean < found.rows and (reference is None or found.clean < reference.clean):
        return f"{found.rows - found.clean} of {found.rows} test answers are empty, looping or broken"
    if not found.ended and reference is not None and reference.ended:
        return f"none of {found.rows} test answers comes to an end"
    return None


@dataclass
class Trial:
    """One adapter under test. `done` gets what is wrong with it, or None."""

    adapter: str
    reference: str | None
    done: Future[str | None] = field(default_factory=Future)
    crashes: int = 0
    began: float = 0.0
    pending: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    found: dict[str | None, Outcome] = field(default_factory=dict)


class Trials:
    """The trials of one engine, one after the other. Only the engine's thread touches it."""

    def __init__(self, max_new_tokens: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.tokens = min(TOKENS, max_new_tokens)
        self.clock = clock
        self.waiting: list[Trial] = []
        self.running: Trial | None = None
        self._known: dict[tuple[str | None, str], Outcome] = {}

    @property
    def busy(self) -> bool:
        """Whether a trial waits or runs."""
        return bool(self.waiting or self.running)

    def ask(self, adapter: str, reference: str | None) -> Future[str | None]:
        """Test a loaded adapter beside what answers now; the future's value is its fault, None if it has none."""
        trial = Trial(adapter, reference)
        self.waiting.append(trial)
        return trial.done

    def admit(self, engine: Engine, presets: Presets) -> None:
        """Begin the next trial if none runs; give up the one that takes too long."""
        trial = self.running
        if trial is not None and self.clock() - trial.began > SECONDS:
            engine.cancel(list(trial.pending))
            self._end(trial, f"the test answers took longer than {SECONDS:.0f} seconds")
        if self.running is None and self.waiting:
            self._begin(self.waiting.pop(0), engine, presets)

    def take(self, event: Event, version: str) -> bool:
        """Whether an event was of a trial; the last one settles it. `version` of the prompts, for the reference."""
        if not event.row_id.startswith(MARK):
            return False
        trial = self.running
        if trial is None or event.row_id not in trial.pending or not isinstance(event, (Finished, Broken)):
            return True
        adapter, message = trial.pending.pop(event.row_id)
        outcome = trial.found[adapter]
        if isinstance(event, Broken):
            outcome.broken = outcome.broken or _why(event.error)
        else:
            outcome.clean += defect(event.text, message) is None
            outcome.ended += event.finish == "stop"
        if not trial.pending:
            self._settle(trial, version)
        return True

    def crashed(self) -> bool:
        """A step raised and the engine was reset. Whether a trial was in it, which then runs once more or fails."""
        trial, self.running = self.running, None
        if trial is None:
            return False
        trial.crashes += 1
        if trial.crashes >= MAX_CRASHES:
            trial.done.set_result("the engine fails with it")
        else:
            self.waiting.insert(0, trial)
        return True

    def _begin(self, trial: Trial, engine: Engine, presets: Presets) -> None:
        self.running, trial.began, trial.pending, trial.found = trial, self.clock(), {}, {}
        tested: list[str | None] = [trial.adapter]
        if trial.reference != trial.adapter and (trial.reference, engine.prompt_version) not in self._known:
            tested.append(trial.reference)
        rows: list[Row] = []
        for number, adapter in enumerate(tested):
            trial.found[adapter] = Outcome(rows=len(MESSAGES))
            rows += self._rows(trial, adapter, f"{MARK}{number}", engine, presets)
        try:
            engine.admit(rows)
        except Exception as error:
            engine.cancel([row.row_id for row in rows])
            self._end(trial, _why(error))

    def _rows(self, trial: Trial, adapter: str | None, name: str, engine: Engine, presets: Presets) -> list[Row]:
        """One row a message, each in another preset, spread over all of them."""
        made: list[Row] = []
        every = max(1, len(presets.presets) // len(MESSAGES))
        for index, message in enumerate(MESSAGES):
            preset = presets.presets[index * every % len(presets.presets)]
            prompt = Prompt((Turn(role="user", text=message),), preset, preset.intensity, presets=presets)
            sampling = sampling_for(preset, self.tokens, engine.sampling)
            row = Row(f"{name}/{index}", prompt, sampling, derive_seed(f"smoke:{index}"), adapter)
            trial.pending[row.row_id] = (adapter, message)
            made.append(row)
        return made

    def _settle(self, trial: Trial, version: str) -> None:
        self._known |= {(adapter, version): outcome for adapter, outcome in trial.found.items()}
        reference = self._known.get((trial.reference, version))
        # What answers now being broken itself is no measure.
        reference = None if reference is not None and reference.broken else reference
        self._end(trial, verdict(trial.found[trial.adapter], reference))

    def _end(self, trial: Trial, fault: str | None) -> None:
        self.running = None
        trial.done.set_result(fault)


def probe(engine: Engine, presets: Presets, adapter: str | None) -> None:
    """A harmless row on the idle engine: EngineBroken if that raises too, so that nobody is blamed for it."""
    prompt = Prompt((Turn(role="user", text=MESSAGES[0]),), presets.presets[0], 1)
    row = Row("probe", prompt, Sampling(max_new_tokens=PROBE_STEPS), 0, adapter)
    try:
        engine.admit([row])
        for _ in range(PROBE_STEPS):
            engine.step()
        engine.cancel([row.row_id])
    except (PromptTooLong, UnknownAdapter):
        return
    except Exception as error:
        raise EngineBroken(f"the engine fails on a harmless prompt too ({type(error).__name__})") from error


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, NotFinite) else f"a test answer failed ({type(error).__name__})"
