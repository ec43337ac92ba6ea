"""`FeedbackRules`: what of people's judgements becomes a row. Every number with its reason; docs/feedback.md is written
from here.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FeedbackRules(BaseModel):
    """Rules of `freeze`; an installation changes them by TRAINING_FEEDBACK or `otklik data feedback build --rule`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_out: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Share of people nothing is learned from, by a stable hash of their id: their prompts judge old "
        "against new, so they must stay unseen for ever.",
    )
    one_sided: int = Field(
        default=4,
        ge=1,
        description="A person's commoner judgement (👍 or 👎; newer or older variant; five stars or not) counts at "
        "most so many times as often as their rarer one, plus so many: who says 👍 to everything tells nothing and "
        "adds at most so many rows. Somebody who likes eight in ten loses no row.",
    )
    person_rows: int = Field(
        default=500,
        ge=1,
        description="At most so many rows of one rater in a set: more than people say in a year, less than a script.",
    )
    person_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="At most this share of a set is one rater's, so that an adapter for all does not become one's own.",
    )
    person_least: int = Field(
        default=30,
        ge=1,
        description="Up to so many rows the share does not bind: with five raters nobody can be under a tenth.",
    )
    shared_least: int = Field(
        default=8,
        ge=1,
        description="A rater is left out only from so many answers on that others judged too: below, even "
        "always disagreeing is within chance for an honest person of rare taste.",
    )
    inverted_certainty: float = Field(
        default=0.98,
        gt=0.5,
        lt=1,
        description="A rater who agrees with others less than chance, with this one-sided certainty, is left out: one "
        "in fifty raters who judge at random is lost, and an inverted one is found after about ten shared answers.",
    )
    peer_certainty: float = Field(
        default=0.9,
        gt=0.5,
        lt=1,
        description="In private chats nobody else judges the same answers: a rater whose thumbs go against what the "
        "others like (fit and length of answers), with this one-sided certainty, is left out. Simulated people: 35 to "
        "80 % of inverted raters are found, one honest one in 250 is lost, since honest thumbs go with the others'.",
    )
    majority: float = Field(
        default=0.67,
        ge=0.5,
        le=1,
        description="Where raters disagree about the same answer to the same prompt, the side with this share of the "
        "weight wins; without one the answer teaches nothing.",
    )
    most_weight: float = Field(
        default=4.0,
        ge=1,
        description="KTO balances 👍 and 👎 by weights; where one is so rare that it would have to weigh more than "
        "this, the commoner side's surplus is dropped: a few rows must not steer by enormous weights.",
    )
    longer_ratio: float = Field(
        default=2.0,
        gt=1,
        description="A pair whose chosen answer is so many times as long as the rejected one is dropped …",
    )
    longer_characters: int = Field(
        default=60,
        ge=0,
        description="… if it is longer by so many characters too: «Да.» and «Да, конечно!» do not differ in length.",
    )
    length_share: float = Field(
        default=0.6,
        ge=0.5,
        le=1,
        description="Among pairs of like difference in length at most this share has the same side longer, so that "
        "«longer is better» is right in at most so many: the surplus is dropped.",
    )
    length_least: int = Field(
        default=4,
        ge=0,
        description="So many pairs of each difference stay whatever the share: a dozen pairs have no statistics.",
    )
    fit_margin: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="AI pairs: the classifier's best candidate must be this much surer than its worst; smaller "
        "differences are noise of the classifier.",
    )
    ai_pairs: bool = Field(
        default=True,
        description="Whether pairs by the classifier are made at all; they are a set of their own, never mixed in.",
    )
    scrub: bool = Field(default=True, description="Phones, e-mails, cards … in texts become `<ТЕЛЕФОН>` and the like.")
    names: bool = Field(default=False, description="People's names too, by natasha: about 5 ms a sentence.")
    profanity: bool = Field(
        default=False,
        description="Drop rows with profanity. Off: what people dislike teaches as much as what they like.",
    )
    least_rows: int = Field(default=1, ge=1, description="A set with fewer training rows is not made.")
    least_people: int = Field(
        default=1, ge=1, description="A set whose training rows come from fewer raters is not made."
    )
