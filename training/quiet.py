"""What libraries print, silenced before they are imported. Imports no trainer, so that evaluation need not either."""

from __future__ import annotations

import os
import sys
import warnings


def quiet() -> None:
    """Libraries say in the terminal only what a person can act on; our bar shows the rest."""
    from transformers.utils import logging as transformers_logging

    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    if datasets := sys.modules.get("datasets"):
        datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
