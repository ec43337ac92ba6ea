"""Files and hub data sets → rows: `open_source(Source(path=…, read=…), presets)`. Knows no step and no method."""

from training.data.reading.preview import Preview, preview
from training.data.reading.records import BadRecord, Counts, Fault, ReadError, Unreadable
from training.data.reading.source import Rows, Source, hashes, local_files, open_source

__all__ = [
    "BadRecord",
    "Counts",
    "Fault",
    "Preview",
    "ReadError",
    "Rows",
    "Source",
    "Unreadable",
    "hashes",
    "local_files",
    "open_source",
    "preview",
]
