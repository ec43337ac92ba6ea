"""What the methods that go through transformers' Trainer share: recipe keys, trainer arguments, the watch, the ending.

Each method's file builds its own trainer; this one knows no loss and no kind of row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from storage.presets import Presets
from training import bases, processes, recipes
from training.bases import Lora, Precision, Quantization
from training.conclusion import conclude, first_measured, measured
from training.data.build import prepared
from training.data.data_recipe import DataRecipe
from training.data.sets import PreparedSet
from training.runs import Run, main_process, progress, whole

if TYPE_CHECKING:
    from training.tokens import Encoder

CHECKPOINTS = "checkpoints"
MEASURED_AT_ONCE = 8


Data = Annotated[
    Annotated[DataRecipe, Tag("recipe")] | Annotated[Path, Tag("path")],
    # A discriminator, so that a wrong key under `data` is not also told to be no path.
    Discriminator(lambda raw: "path" if isinstance(raw, str | Path) else "recipe"),
]


class TuningRecipe(recipes.Recipe):
    """Keys that every tuning method has."""

    base: str = Field(description="Folder or hub id of the model to tune.")
    revision: str | None = Field(default=None, description="Commit of a hub id.")
    quantization: Quantization = Field(default="none", description="nf4: QLoRA (arXiv:2305.14314), double quantized.")
    precision: Precision = Field(
        default="auto", description="auto: bfloat16 on a GPU, float16 on one without it (T4, P100), float32 elsewhere."
    )
    attention: str | None = Field(default=None, description="eager, sdpa or flash_attention_2; unset: the library's.")
    data: Data = Field(description="How to prepare the set, or a prepared one's folder, or a data recipe's file.")
    lora: Lora | None = Field(default=Lora(), description="null: all weights are tuned, the costly reference.")
    longest: int = Field(default=512, ge=8, description="Tokens of prompt and answer; longer rows are left out.")
    rows: int = Field(default=8, ge=1, description="Rows a step and process.")
    order: Literal["random", "sequential", "group_by_length"] = Field(
        default="random", description="sequential: set after set, as the data recipe mixed them."
    )
    accumulate: int = Field(default=1, ge=1, description="Backward passes an optimizer step.")
    epochs: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, ge=1, description="Optimizer steps, instead of epochs.")
    learning_rate: float = Field(default=2e-4, gt=0)
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1, description="Share of the steps.")
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0, description="Norm that gradients are clipped to.")
    optimizer: Literal["adamw_torch", "adamw_torch_fused", "paged_adamw_8bit", "adamw_8bit", "adafactor", "sgd"] = (
        "adamw_torch"
    )
    recompute: bool = Field(default=False, description="Gradient checkpointing: less memory, about a fifth more time.")
    save_steps: int = Field(default=200, ge=1, description="Checkpoints to resume from; the two newest are kept.")
    log_steps: int = Field(default=10, ge=1)
    measure_rows: int = Field(default=200, ge=0, description="Held-out rows for the loss before and after; 0: none.")

    @model_validator(mode="after")
    def _one_length(self) -> TuningRecipe:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either `epochs` or `steps`")
        if self.lora is None and self.quantization != "none":
            raise ValueError("quantized weights cannot be tuned themselves: give `lora`, or quantization: none")
        return self


def arguments(recipe: TuningRecipe, run: Run, **own: Any) -> dict[str, Any]:
    """Keyword arguments for a TrainingArguments (or TRL config) class."""
    import torch

    from models.devices import pick_device, pick_dtype

    cuda = torch.cuda.is_available()
    dtype = pick_dtype(recipe.precision, pick_device("auto"))
    if dtype is torch.float16 and not cuda:
        raise recipes.RecipeError("precision: float16 is for GPUs; take bfloat16, float32 or auto on a CPU")
    return {
        "output_dir": str(run.folder / CHECKPOINTS),
        "seed": recipe.seed,
        "per_device_train_batch_size": recipe.rows,
        # One size for all runs, so that held-out losses (means of batches) compare whatever `rows` is.
        "per_device_eval_batch_size": MEASURED_AT_ONCE,
        "train_sampling_strategy": recipe.order,
        "gradient_accumulation_steps": recipe.accumulate,
        "num_train_epochs": recipe.epochs or 1.0,
        "max_steps": recipe.steps or -1,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": recipe.schedule,
        "warmup_steps": recipe.warmup,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.clip,
        # Paging moves optimizer states between GPU and CPU memory; without a GPU they are where they belong.
        "optim": recipe.optimizer if cuda else recipe.optimizer.removeprefix("paged_"),
        "activation_checkpointing": recipe.recompute,
        "logging_steps": recipe.log_steps,
        "logging_nan_inf_filter": False,
        "save_steps": recipe.save_steps,
        "save_total_limit": 2,
        "bf16": dtype is torch.bfloat16,
        "fp16": dtype is torch.float16,
        "use_cpu": not cuda,
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": cuda,
        "disable_tqdm": True,
        "report_to": [],
        **own,
    }


def newest_checkpoint(run: Run) -> Path | None:
    """The newest checkpoint that was written whole: its trainer's state is the last file written."""
    found = sorted((run.folder / CHECKPOINTS).glob("checkpoint-*"), key=lambda one: int(one.name.rsplit("-", 1)[1]))
    return next((one for one in reversed(found) if (one / "trainer_state.json").is_file()), None)


def fit(
    trainer: Any, run: Run, recipe: TuningRecipe, resume: bool, export: Callable[[Path], Sequence[str] | None]
) -> Path:
    """Train to the end and return the finished folder, which `export` fills; resumes from the newest checkpoint.

    Lines that `export` returns stand in the report.
    DivergedLoss if the loss stops being a number, Interrupted after Ctrl-C or SIGTERM (with a checkpoint).
    """
    from transformers import PrinterCallback

    from training.memory import MemoryWatch
    from training.watch import Interrupted, Watch, numbers

    trainer.remove_callback(PrinterCallback)
    if recipe.threads:
        import torch

        torch.set_num_threads(recipe.threads)
    if trainer.args.fp16:
        bases.tuned_in_float32(trainer.model)
    checkpoint = newest_checkpoint(run) if resume else None
    # A model in shards cannot be measured before training has placed them.
    before = {} if checkpoint or processes.sharded(trainer) else measured(trainer)
    if before and main_process():
        run.measure(step=0, **numbers(before))
    processes.unwrap(trainer)
    with MemoryWatch(run.parts, resume) as memory, progress(run.method, 1.0) as shown:
        trainer.add_callback(Watch(run, recipe, shown))
        _train(trainer, checkpoint)
    state = trainer.state
    if state.global_step < state.max_steps:
        raise Interrupted(f"stopped at step {state.global_step} of {state.max_steps}: continue with --resume")
    after = measured(trainer)
    folder = recipe.output or run.folder / ("adapter" if recipe.lora else "model")
    trainer.gathered = processes.gathered(trainer)
    if main_process():
        with whole(folder) as fresh:
            told = export(fresh) or ()
        measures = {"before": before or first_measured(run), "after": after}
        conclude(trainer, run, folder, memory, measures, told)
    trainer.accelerator.wait_for_everyone()
    return folder


def _train(trainer: Any, checkpoint: Path | None) -> None:
    """Train; what has had all its steps is only loaded, where a Trainer would take one more."""
    from transformers import TrainerState

    if checkpoint and not processes.sharded(trainer):
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        if 0 < trainer.args.max_steps <= state.global_step:
            trainer._load_from_checkpoint(str(checkpoint))
            trainer.state = state
            return
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def rows(recipe: TuningRecipe, storage: Path, presets: Presets) -> PreparedSet:
    """The prepared set that the recipe names, built first where it says how."""
    return prepared(recipe.data, storage, presets, recipe.seed)


def encoder(recipe: TuningRecipe, tokenizer: Any, presets: Presets) -> Encoder:
    """What makes tokens of rows, none of them longer than `longest` and than the base has places for."""
    from training.tokens import Encoder

    return Encoder(tokenizer, presets, bases.room(recipe.base, recipe.revision, recipe.longest))


def held_out(run: Run, recipe: TuningRecipe, examples: Iterator[Mapping[str, Any]]) -> Any:
    """The first `measure_rows` held-out examples as a table; None if none are wanted or there are none."""
    from training.tokens import table

    some = list(itertools.islice(examples, recipe.measure_rows))
    return table(run.folder / "tokens" / "held_out.arrow", some) if some else None


def model(recipe: TuningRecipe, labels: int | None = None) -> Any:
    """The base as the recipe wants it loaded; a fresh adapter on it begins from the recipe's seed."""
    from transformers import set_seed

    set_seed(recipe.seed)
    loaded = bases.load_model(
        recipe.base,
        revision=recipe.revision,
        quantization=recipe.quantization,
        precision=recipe.precision,
        attention=recipe.attention,
        labels=labels,
    )
    return trainable_layout(loaded)


def trainable_layout(model: Any) -> Any:
    """The model, its 4-bit layers told to stay as they are: measured on a CPU, bitsandbytes would lay them out anew for
    inference, and gradients would be wrong from then on."""
    for layer in model.modules():
        if type(layer).__name__ == "Linear4bit":
            layer.support_avx512bf16_for_cpu = False
    return model


def manifest(run: Run, recipe: TuningRecipe, data: PreparedSet, encoder: Encoder, **used: str | Path | None) -> None:
    """Write what the run learned from: the set's own manifest, counts after encoding, the base's revision, the hashes
    of all that is `used` besides. To be called before held-out rows are encoded: the counts are of training rows."""
    if not main_process():
        return
    given = {name: bases.provenance(place) for name, place in used.items() if place is not None}
    run.manifest(
        {
            "base": bases.provenance(recipe.base, recipe.revision),
            **({"used": given} if given else {}),
            "data": dict(data.manifest),
            "encoded": dict(encoder.counts),
            "longest": encoder.longest,
        }
    )


def export(trainer: Any, recipe: TuningRecipe, tokenizer: Any, folder: Path) -> None:
    """Write the adapter, or the tuned model with its tokenizer, as safetensors that the worker loads."""
    unwrapped = trainer.accelerator.unwrap_model(trainer.model)
    unwrapped.save_pretrained(folder, state_dict=trainer.gathered)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card
    if recipe.lora is None:
        tokenizer.save_pretrained(folder)
