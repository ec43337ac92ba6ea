"""Asks a judge all questions of a comparison: in parallel, each once, again where a reply held no verdict.

Knows a judge only by its protocol; what the verdicts mean is `agreement`'s and `winning`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from training.evaluation.judging.asking import Judge, TooLong
from training.evaluation.judging.cache import Cache, Given
from training.evaluation.judging.criteria import Criteria
from training.evaluation.judging.questions import Question, key, messages
from training.evaluation.judging.verdicts import Unparsable, parse
from training.evaluation.samples import Sample

# Questions kept ready: enough for every thread, and a stop does not wait for thousands.
AHEAD = 4


@dataclass(frozen=True)
class Answered:
    """A question and how it ended. `cached`: it cost nothing this time."""

    question: Question
    given: Given
    cached: bool

    @property
    def same(self) -> bool:
        """Whether the answers are word for word the same: a tie that nobody was asked about."""
        return self.given.tries == 0

    def values(self) -> dict[str, float] | None:
        """Criterion → 1 where `question.one` stands better, 0 where the other does, 0.5 where equal; None without."""
        if self.given.choices is None:
            return None
        better = 2 if self.question.swapped else 1
        return {name: 0.5 if choice == 0 else float(choice == better) for name, choice in self.given.choices.items()}


@dataclass
class Tally:
    """What a run has taken so far; only what was asked now costs."""

    done: int = 0
    cached: int = 0
    same: int = 0
    unparsable: int = 0
    too_long: int = 0
    retried: int = 0
    read: int = 0
    written: int = 0

    def add(self, answered: Answered) -> None:
        """Count one answered question."""
        given = answered.given
        self.done += 1
        self.cached += answered.cached
        self.same += answered.same
        self.unparsable += given.state == "unparsable"
        self.too_long += given.state == "too_long"
        self.retried += given.tries > 1
        if not answered.cached:
            self.read += given.read
            self.written += given.written


@dataclass
class Run:
    """How questions are asked. `watch` is called with the tally after every answer, from the caller's thread."""

    judge: Judge
    criteria: Criteria
    cache: Cache
    titles: Mapping[str, str] = field(default_factory=dict)
    tries: int = 3
    concurrency: int = 8
    again: bool = False
    watch: Callable[[Tally], None] | None = None

    def ask(self, questions: Iterable[Question]) -> tuple[list[Answered], Tally]:
        """Every question's end, in the order of the questions. What the judge raises ends the run, not the cache."""
        tally = Tally()
        found: dict[int, Answered] = {}
        waiting: dict[Future[Answered], int] = {}
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="judge")
        try:
            for number, question in enumerate(questions):
                waiting[pool.submit(self._one, question)] = number
                if len(waiting) >= self.concurrency * AHEAD:
                    self._collect(waiting, found, tally)
            while waiting:
                self._collect(waiting, found, tally)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return [found[number] for number in sorted(found)], tally

    def _collect(self, waiting: dict[Future[Answered], int], found: dict[int, Answered], tally: Tally) -> None:
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            answered = found[waiting.pop(future)] = future.result()
            tally.add(answered)
        if self.watch is not None:
            self.watch(tally)

    def _one(self, question: Question) -> Answered:
        if question.one.answer.strip() == question.other.answer.strip():
            return Answered(question, Given("judged", dict.fromkeys(self.criteria.ids, 0), tries=0), cached=False)
        asked = messages(question, self.criteria, self.titles)
        name = key(self.judge.name, asked, question.seed)
        known = self.cache.get(name)
        if known is not None and not (self.again and known.state != "judged"):
            return Answered(question, known, cached=True)
        given = self._settle(asked, question.seed)
        self.cache.put(name, self.judge.name, given)
        return Answered(question, given, cached=False)

    def _settle(self, asked: list[dict[str, str]], seed: int) -> Given:
        read = written = 0
        for attempt in range(self.tries):
            try:
                reply = self.judge.ask(asked, seed + attempt * 1_000_003, again=attempt > 0)
            except TooLong:
                return Given("too_long", None, attempt + 1, read, written)
            read, written = read + reply.read, written + reply.written
            try:
                return Given("judged", parse(reply.text, self.criteria.ids), attempt + 1, read, written)
            except Unparsable:
                continue
        return Given("unparsable", None, self.tries, read, written)


def plan(pairs: Sequence[tuple[Sample, Sample]], seed: int = 0, repeats: int = 1, repeated: int = 50) -> list[Question]:
    """Both orders of every pair; the first `repeated` pairs `repeats` times, each repeat with another seed."""
    return [
        Question(one, other, swapped, repeat, seed + repeat)
        for number, (one, other) in enumerate(pairs)
        for repeat in range(repeats if number < repeated else 1)
        for swapped in (False, True)
    ]
