"""From what people said of answers to frozen training sets: read (SQL or JSON lines), freeze, tell, purge.

Knows nothing of methods or models; docs/feedback.md has the rules with their reasons.
"""

from __future__ import annotations

from training.data.feedback.entry import Entry, Given, Judgement
from training.data.feedback.exchange import export_log, import_log
from training.data.feedback.freezing import FeedbackSets, freeze
from training.data.feedback.log import FeedbackLog
from training.data.feedback.purging import purge
from training.data.feedback.reading import read_log
from training.data.feedback.rules import FeedbackRules
from training.data.feedback.summary import to_summary

__all__ = [
    "Entry",
    "FeedbackLog",
    "FeedbackRules",
    "FeedbackSets",
    "Given",
    "Judgement",
    "export_log",
    "freeze",
    "import_log",
    "purge",
    "read_log",
    "to_summary",
]
