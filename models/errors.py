"""What can go wrong in the worker, named by cause; every text says what to do.

ModelsError
├── ModelMissing       the base model's files are not there
├── AdapterBroken      an adapter cannot be loaded
├── ClassifierBroken   the emotion classifier cannot be loaded
├── UnknownAdapter     a request names an adapter that is not loaded
├── PromptTooLong      one message is longer than the model's context
├── EngineUnavailable  the remote engine cannot be reached or refuses
├── NotFinite          a row's numbers are not finite: the weights that answer it are broken
└── EngineBroken       the engine fails whatever it is asked: this process cannot go on
"""

from __future__ import annotations


class ModelsError(Exception):
    """Base of everything that this package raises on purpose."""


class ModelMissing(ModelsError):
    """The base model cannot be loaded; the text names the setting to change."""


class AdapterBroken(ModelsError):
    """An adapter folder is missing, damaged or made for another base model."""


class ClassifierBroken(ModelsError):
    """The classifier cannot be loaded, so the worker refuses to start."""


class UnknownAdapter(ModelsError):
    """No adapter of this id is loaded."""


class PromptTooLong(ModelsError):
    """The newest message alone does not fit into the model's context window."""


class EngineUnavailable(ModelsError):
    """A remote engine did not answer properly, after retries."""


class NotFinite(ModelsError):
    """The model's numbers for a row overflow or are NaN; other rows of its batch are not touched."""

    def __init__(self) -> None:
        super().__init__("the model's numbers are not finite")


class EngineBroken(ModelsError):
    """The engine raises on every request (a lost GPU, a sticky device error): only a new process can help."""


def first_line(error: Exception) -> str:
    """The first line of what another library says; the rest is advice for its own developers."""
    return next(iter(str(error).strip().splitlines()), "")
