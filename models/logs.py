"""Structured logs of the worker's commands: one JSON object a line on stderr, never any dialogue text."""

from __future__ import annotations

import logging
import sys

import structlog


def log_to_stderr(level: int = logging.INFO) -> None:
    """Standard output stays free for answers."""
    # It warns at import of a kernel that it would fetch from a hub; ours does not need it.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # It logs whole addresses, and those may hold a password.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up at each line: whoever redirects standard error later gets the logs too.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
