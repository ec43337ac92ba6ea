"""Records of a data set on a model hub, or of a folder that the `datasets` library can load, streamed.

Knows that library's errors and what to do about them; nothing of what the fields mean.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from training.data.reading.records import Record, Unreadable

REMEDY = (
    "download it elsewhere and give the files with `path: FOLDER`, or bring its cache (HF_HOME=FOLDER) and set "
    "HF_HUB_OFFLINE=1; behind a proxy or with a mirror set HTTPS_PROXY or HF_ENDPOINT; a closed one needs HF_TOKEN"
)


def read(hub: str, config: str | None, split: str, revision: str | None) -> Iterator[Record]:
    """Records with places `hub:owner/name[split]:12`; Unreadable names the cause and what to do."""
    import datasets

    # It tells of every retry; our one message tells what came of them.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    place = f"hub:{hub}[{split}]"
    number = 0
    try:
        rows = datasets.load_dataset(hub, name=config, split=split, revision=revision, streaming=True)
        for number, row in enumerate(rows, 1):
            yield Record(f"{place}:{number}", row)
    except datasets.exceptions.DatasetNotFoundError:
        raise Unreadable(place, f"there is no such data set on the hub, or it is closed to you; {REMEDY}") from None
    except ValueError as error:
        raise Unreadable(place, f"{_told(error)}; check `split`, `config` and `revision`") from None
    except datasets.exceptions.DatasetsError as error:
        raise Unreadable(place, f"is no data set that `datasets` can load: {_told(error)}") from None
    except Exception as error:  # what can break on the way has no common class: sockets, HTTP, archives, parquet
        where = f"broke off after row {number}" if number else "cannot be reached"
        raise Unreadable(place, f"{where} ({_told(error)}); {REMEDY}") from None


def revision(hub: str, wanted: str | None) -> str:
    """The commit that a name or nothing stands for now; the name itself (`main`) when the hub cannot be asked."""
    from huggingface_hub import HfApi

    if wanted and re.fullmatch(r"[0-9a-f]{40}", wanted):
        return wanted
    try:
        return str(HfApi().dataset_info(hub, revision=wanted).sha or wanted or "main")
    except Exception:  # whatever it is, reading meets it too and tells it
        return wanted or "main"


def _told(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
