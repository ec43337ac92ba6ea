"""Keys of `recipes/pretrain*.yaml`, apart from the trainer. Data only."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training import recipes


class Shape(BaseModel):
    """The network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary: int = Field(default=6144, ge=300, le=65535)
    hidden: int = Field(default=320, ge=16)
    layers: int = Field(default=8, ge=1)
    heads: int = Field(default=5, ge=1)
    inner: int = Field(default=832, ge=16)
    context: int = Field(default=512, ge=16)

    @model_validator(mode="after")
    def _heads_fit(self) -> Shape:
        if self.hidden % (2 * self.heads):
            raise ValueError(f"hidden: {self.hidden} is no multiple of 2 · heads = {2 * self.heads}")
        return self


class Hearing(BaseModel):
    """A second loss (Caruana 1997): from inside the network, a linear head tells kind and subject of what was said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(gt=0, description="Beside the loss of the next token, which has 1.")
    layer: int = Field(ge=1, description="After this layer, so that those above can use what is heard.")


class PretrainRecipe(recipes.Recipe):
    """Keys of `recipes/pretrain.yaml`."""

    data: Path = Field(description="The public data folder.")
    init: Path | None = Field(default=None, description="Continue from this base model (and its tokenizer).")
    blend: float = Field(default=1.0, gt=0, le=1, description="Share of the new weights beside those of `init`.")
    shape: Shape = Shape()
    sequence: int = Field(default=128, ge=8, description="Tokens a row.")
    rows: int = Field(default=32, ge=1, description="Rows a step.")
    minutes: float | None = Field(default=None, gt=0, description="Wall clock of the training itself.")
    steps: int | None = Field(default=None, ge=1, description="Length in steps instead of minutes.")
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    optimizer: str = Field(default="muon", pattern="^(muon|adamw)$", description="For matrices inside the layers.")
    warmup: float = Field(default=0.02, ge=0, lt=1, description="Share of the schedule.")
    decay: float = Field(default=0.3, gt=0, le=1, description="Share of the schedule, at its end.")
    compile: bool = False
    answers_only: bool = Field(
        default=False, description="What people say is read, not learned: no loss on it, nor on the tokens that steer."
    )
    hearing: Hearing | None = Field(default=None, description="Learn the kinds of messages too; the head is not kept.")
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    mix: dict[str, float]
    final_mix: dict[str, float]
    tokenizer_lines: int = Field(default=60000, ge=1, description="Lines of every source that the tokenizer sees.")

    @model_validator(mode="after")
    def _one_length(self) -> PretrainRecipe:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("give either `minutes` or `steps`")
        if self.init is None and self.sequence > self.shape.context:
            raise ValueError(
                f"sequence: {self.sequence} tokens a row are more than shape.context = {self.shape.context}"
            )
        for name, mix in (("mix", self.mix), ("final_mix", self.final_mix)):
            if min(mix.values(), default=0) < 0 or not sum(mix.values()) > 0:
                raise ValueError(f"{name}: shares are not negative, and one is over 0")
        return self
