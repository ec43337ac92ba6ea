"""What an entry of the log teaches: thumbs, pairs, answers to learn, each with who judged. One entry at a time.

Pure but for the counts; who is believed, how much of one person counts and what is held out is decided later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from models.selection import Defect, defect
from storage.contracts import RatingSource, RatingStars, Turn
from training.cycle.safety import speaks_of_suicide
from training.data.cleaning import profane
from training.data.feedback.entry import Entry, Given, Judgement
from training.data.feedback.rules import FeedbackRules
from training.data.rows import Answer, Feedback, Pair, Row
from training.data.steps.texts import fold

Kind = Literal["feedback", "pairs", "answers", "ai_pairs"]
WRONG_EMOTION = "wrong_emotion"
SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One row to be, without persons in it. `side`: which of two opposite habits it is of (1, −1, 0: neither), such as
    👍 or 👎. `row` None: the judgement only tells of a habit. `reward`: for preference models alone."""

    kind: Kind
    rater: str
    side: int
    row: Feedback | Pair | Answer | None
    reward: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """All that one person said of one answer; preferences apart."""

    thumb: int
    stars: RatingStars | None
    wrong_emotion: bool
    corrections: tuple[str, ...]

    @property
    def verdict(self) -> int:
        """1 liked, −1 not, 0 nothing or both at once. «Not the emotion» is a no."""
        if self.wrong_emotion:
            return 0 if self.thumb > 0 else -1
        return self.thumb


class Deriver:
    """Makes lessons of entries; `counts` grows by what taught nothing, and why."""

    def __init__(self, rules: FeedbackRules, clean: Callable[[str], str]) -> None:
        self.rules = rules
        self.clean = clean
        self.counts: Counter[str] = Counter()

    def lessons(self, entry: Entry) -> Iterator[Lesson]:
        """Everything that an entry teaches."""
        if any(speaks_of_suicide(turn.text) for turn in entry.prompt if turn.role == "user"):
            self.counts["crisis"] += 1
            return
        scene = _Scene.of(entry, self.clean)
        for lesson in self._all(entry, scene):
            if self.rules.profanity and lesson.row is not None and _profane(lesson.row):
                self.counts["profane"] += 1
            else:
                yield lesson

    def _all(self, entry: Entry, scene: _Scene) -> Iterator[Lesson]:
        said = {
            answer.request_id: {person: _sum(those) for person, those in _by_person(answer).items()}
            for answer in entry.answers
        }
        for answer in entry.answers:
            for person, one in said[answer.request_id].items():
                yield from self._thumb(scene, answer, person, one)
                yield from self._stars(scene, answer, person, one)
                yield from self._corrections(scene, answer, person, one)
            for judgement in _preferences(answer):
                yield from self._preference(entry, scene, answer, judgement, said)
            if self.rules.ai_pairs:
                yield from self._by_classifier(entry, scene, answer)
        yield from self._opposite(entry, scene, said)

    def _thumb(self, scene: _Scene, answer: Given, person: str, said: Said) -> Iterator[Lesson]:
        if said.verdict == 0:
            if said.thumb:
                self.counts["contradicts_itself"] += 1
            return
        liked = said.verdict > 0
        if self._may_show(scene, answer.text, good=liked):
            signal = "thumb" if said.thumb else "reason"
            row = Feedback(
                answer=self.clean(answer.text), desirable=liked, **scene.row(signal, answer.adapter, answer.fit)
            )
            yield Lesson("feedback", person, said.verdict, row)

    def _stars(self, scene: _Scene, answer: Given, person: str, said: Said) -> Iterator[Lesson]:
        if said.stars is None:
            return
        if not five_stars(said.stars):
            yield Lesson("answers", person, -1, None)
        elif said.verdict < 0 or said.wrong_emotion:
            self.counts["contradicts_itself"] += 1
        elif self._may_show(scene, answer.text, good=True):
            row = Answer(answer=self.clean(answer.text), **scene.row("stars", answer.adapter))
            yield Lesson("answers", person, 1, row)

    def _corrections(self, scene: _Scene, answer: Given, person: str, said: Said) -> Iterator[Lesson]:
        for text in said.corrections:
            better = self.clean(text).strip()
            if fold(better) == fold(answer.text):
                self.counts["same_answers"] += 1
            elif self._may_show(scene, better, good=True):
                yield Lesson("answers", person, 0, Answer(answer=better, **scene.row("correction", None)))
                if answer.text.strip():
                    row = Pair(chosen=better, rejected=self.clean(answer.text), **scene.row("correction", None))
                    yield Lesson("pairs", person, 0, row)

    def _preference(
        self, entry: Entry, scene: _Scene, chosen: Given, one: Judgement, said: dict[str, dict[str, Said]]
    ) -> Iterator[Lesson]:
        order = [answer.request_id for answer in entry.answers]
        if one.preferred_over not in order:
            self.counts["other_prompt_or_emotion"] += 1
            return
        compared = one.source == RatingSource.COMPARE
        if not compared and entry.shown is not None and entry.shown != chosen.request_id:
            # Leafing through variants passes some of them by; the one left on the screen was chosen.
            self.counts["passed_by"] += 1
            return
        rejected = entry.answers[order.index(one.preferred_over)]
        own = said[chosen.request_id][one.person].verdict
        if own < 0 or (own == 0 and _liked(said, rejected, one.person)):
            self.counts["contradicts_itself"] += 1
            return
        later = 1 if order.index(chosen.request_id) > order.index(one.preferred_over) else -1
        yield from self._pair(scene, chosen, rejected, "compare" if compared else "variants", one.person, later)

    def _opposite(self, entry: Entry, scene: _Scene, said: dict[str, dict[str, Said]]) -> Iterator[Lesson]:
        """Variants that one person judged oppositely: for preference models."""
        for chosen in entry.answers:
            for rejected in entry.answers:
                for person, one in said[chosen.request_id].items():
                    other = said[rejected.request_id].get(person)
                    if one.verdict > 0 and other is not None and other.verdict < 0:
                        yield from self._pair(scene, chosen, rejected, "thumbs", person, 0, reward=True)

    def _by_classifier(self, entry: Entry, scene: _Scene, answer: Given) -> Iterator[Lesson]:
        able = sorted((one for one in answer.candidates if one.text.strip()), key=lambda one: (one.fit, one.text))
        if len(able) < 2:
            return
        worst, far = able[0], [one for one in able if one.fit - able[0].fit >= self.rules.fit_margin]
        best = next((one for one in reversed(far) if scene.fault(one.text) is None), None)
        if best is None or fold(best.text) == fold(worst.text):
            self.counts["classifier_unsure"] += 1
            return
        shared = scene.row("classifier", answer.adapter, made_by="classifier")
        yield Lesson(
            "ai_pairs", entry.person, 0, Pair(chosen=self.clean(best.text), rejected=self.clean(worst.text), **shared)
        )

    def _pair(
        self,
        scene: _Scene,
        chosen: Given,
        rejected: Given,
        signal: str,
        person: str,
        side: int,
        *,
        reward: bool = False,
    ) -> Iterator[Lesson]:
        if fold(chosen.text) == fold(rejected.text):
            self.counts["same_answers"] += 1
        elif self._may_show(scene, chosen.text, good=True) and self._may_show(scene, rejected.text, good=False):
            texts = {"chosen": self.clean(chosen.text), "rejected": self.clean(rejected.text)}
            yield Lesson("pairs", person, side, Pair(**texts, **scene.row(signal, chosen.adapter)), reward)

    def _may_show(self, scene: _Scene, text: str, *, good: bool) -> bool:
        """Whether an answer may stand in a row, as one to learn or as one to avoid."""
        fault = scene.fault(text) if good else None
        if not text.strip() or fault is not None:
            self.counts[str(fault or Defect.EMPTY)] += 1
            return False
        if good and speaks_of_suicide(text):
            self.counts["crisis"] += 1
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all rows of an entry share. `message`: the person's last words."""

    message: str
    fields: dict[str, Any]
    faults: dict[str, Defect | None]

    @classmethod
    def of(cls, entry: Entry, clean: Callable[[str], str]) -> _Scene:
        prompt = tuple(Turn(role=turn.role, text=clean(turn.text)) for turn in entry.prompt)
        shared = {"emotion": entry.emotion, "intensity": entry.intensity, "persona": clean(entry.persona)}
        return cls(entry.prompt[-1].text, {"prompt": prompt, **shared}, {})

    def fault(self, text: str) -> Defect | None:
        """Why an answer must not be sent; an answer is looked at once, though several things are said of it."""
        if text not in self.faults:
            self.faults[text] = defect(text, self.message)
        return self.faults[text]

    def row(self, signal: str, adapter: str | None, fit: float | None = None, **tags: str) -> dict[str, Any]:
        """Fields of one row; tags say what it was made of."""
        scores = {} if fit is None else {"fit": fit}
        made = {SIGNAL: signal, **({"adapter": adapter} if adapter else {}), **tags}
        return {**self.fields, "tags": made, "scores": scores}


def five_stars(stars: RatingStars) -> bool:
    """Whether an answer is as good as can be: content is judged, and nothing that is judged got less than five."""
    given = [stars.content, stars.grammar, stars.structure, stars.style]
    return stars.content == 5 and all(one in (None, 5) for one in given)


def _by_person(answer: Given) -> dict[str, list[Judgement]]:
    found: dict[str, list[Judgement]] = defaultdict(list)
    for one in answer.judgements:
        found[one.person].append(one)
    return dict(sorted(found.items()))


def _preferences(answer: Given) -> list[Judgement]:
    """Each preference once: who repeats themselves is no louder for it."""
    chosen = [one for one in answer.judgements if one.preferred_over is not None]
    return list({(one.person, one.preferred_over, one.source == RatingSource.COMPARE): one for one in chosen}.values())


def _sum(judgements: Sequence[Judgement]) -> Said:
    """Several lines of one person about one answer: the newest that says something wins."""
    ordered = sorted(judgements, key=lambda one: (one.created_at, one.model_dump_json()))
    thumbs = [one.thumb for one in ordered if one.thumb is not None]
    stars = [one.stars for one in ordered if one.stars is not None]
    corrections = {one.correction: None for one in ordered if one.correction and one.correction.strip()}
    return Said(
        thumb=thumbs[-1] if thumbs else 0,
        stars=stars[-1] if stars else None,
        wrong_emotion=any(one.reason == WRONG_EMOTION for one in ordered),
        corrections=tuple(corrections),
    )


def _liked(said: dict[str, dict[str, Said]], answer: Given, person: str) -> bool:
    other = said[answer.request_id].get(person)
    return other is not None and other.verdict > 0


def _profane(row: Row) -> bool:
    from training.data.steps.texts import words

    return any(profane(text) for text in words(row, "all"))
