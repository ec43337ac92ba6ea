"""Adapters' files: what is taken in, that they are whole or not there, and how workers come by them."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pytest

from storage import adapter_files
from storage.adapter_manifest import (
    MANIFEST,
    AdapterDamaged,
    AdapterMissing,
    NotAnAdapter,
    StoreUnavailable,
    check_kind,
    hash_adapter,
)
from storage.contracts import ServedAdapter
from tests.storage.adapter_folders import generator, lora


def served(stored: adapter_files.Stored) -> ServedAdapter:
    return ServedAdapter(adapter_id=stored.adapter_id, location=stored.location, sha256=stored.sha256)


@pytest.fixture(params=["folder", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}/store"
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()


def test_the_same_content_is_one_adapter_whatever_its_folder_is_called(address: str, tmp_path: Path) -> None:
    first = adapter_files.store(lora(tmp_path / "one"), address)
    second = adapter_files.store(lora(tmp_path / "two"), address)
    assert first == second
    assert first.adapter_id == f"a-{first.sha256[:12]}" == f"a-{hash_adapter(tmp_path / 'one')[:12]}"
    assert adapter_files.store(lora(tmp_path / "other", b"\x07"), address).adapter_id != first.adapter_id


def test_the_prompt_is_part_of_the_identity_and_a_fetched_copy_knows_its_own(address: str, tmp_path: Path) -> None:
    bare = adapter_files.store(lora(tmp_path / "one"), address)
    prompted = adapter_files.store(tmp_path / "one", address, prompt="p1")
    assert bare.adapter_id != prompted.adapter_id
    copy = adapter_files.fetch(served(prompted), tmp_path / "cache")
    assert hash_adapter(copy) == prompted.sha256
    assert adapter_files.store(copy, address) == prompted


def test_what_was_stored_is_fetched_byte_for_byte(address: str, tmp_path: Path) -> None:
    source = lora(tmp_path / "one")
    (source / "report.md").write_text("отчёт")
    (source / ".DS_Store").write_bytes(b"rubbish")
    stored = adapter_files.store(source, address)
    copy = adapter_files.fetch(served(stored), tmp_path / "cache")
    names = ("adapter_config.json", "adapter_model.safetensors", "report.md")
    assert sorted(path.name for path in copy.iterdir()) == sorted((*names, MANIFEST))
    assert all((copy / name).read_bytes() == (source / name).read_bytes() for name in names)
    assert adapter_files.faults(stored.location, stored.sha256) == []


def test_a_cached_copy_needs_no_store(address: str, tmp_path: Path) -> None:
    stored = adapter_files.store(lora(tmp_path / "one"), address)
    copy = adapter_files.fetch(served(stored), tmp_path / "cache")
    adapter_files.discard(stored.location)
    assert adapter_files.faults(stored.location, stored.sha256)
    assert adapter_files.fetch(served(stored), tmp_path / "cache") == copy


def test_a_damaged_cached_copy_is_fetched_again(address: str, tmp_path: Path) -> None:
    stored = adapter_files.store(lora(tmp_path / "one"), address)
    copy = adapter_files.fetch(served(stored), tmp_path / "cache")
    (copy / "adapter_config.json").write_text("{}")
    again = adapter_files.fetch(served(stored), tmp_path / "cache")
    assert json.loads((again / "adapter_config.json").read_text())["peft_type"] == "LORA"


@pytest.mark.parametrize("harm", ["altered", "longer", "cut", "manifest", "gone"])
def test_a_damaged_store_leaves_nothing_in_the_cache(harm: str, tmp_path: Path) -> None:
    stored = adapter_files.store(lora(tmp_path / "one"), str(tmp_path / "store"))
    weights = Path(stored.location) / "adapter_model.safetensors"
    content = weights.read_bytes()
    if harm == "gone":
        shutil.rmtree(stored.location)
    elif harm == "manifest":
        (Path(stored.location) / MANIFEST).write_text('{"files": {"../../x.json": {"size": 0, "sha256": ""}}}')
    else:
        weights.write_bytes({"altered": content[:-1] + b"!", "longer": content + b"!", "cut": content[:-1]}[harm])
    with pytest.raises(AdapterMissing if harm == "gone" else AdapterDamaged):
        adapter_files.fetch(served(stored), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert adapter_files.faults(stored.location, stored.sha256)


def test_storing_a_damaged_adapter_again_makes_it_whole(address: str, tmp_path: Path) -> None:
    stored = adapter_files.store(lora(tmp_path / "one"), address)
    fs, place = fsspec.core.url_to_fs(stored.location)
    fs.pipe_file(f"{place}/adapter_config.json", b"{}")
    assert adapter_files.faults(stored.location, stored.sha256) == ["adapter_config.json is damaged"]
    adapter_files.store(tmp_path / "one", address)
    assert adapter_files.faults(stored.location, stored.sha256) == []


def test_an_upload_that_broke_off_counts_as_not_there(tmp_path: Path) -> None:
    stored = adapter_files.store(lora(tmp_path / "one"), f"memory://{tmp_path.name}")
    fs, place = fsspec.core.url_to_fs(stored.location)
    fs.rm_file(f"{place}/{MANIFEST}")
    with pytest.raises(AdapterMissing, match="STORAGE_ADAPTERS"):
        adapter_files.fetch(served(stored), tmp_path / "cache")
    assert adapter_files.faults(stored.location, stored.sha256)
    fs.store.clear()


def test_this_machines_own_address_of_the_store_is_looked_in_first(tmp_path: Path) -> None:
    stored = adapter_files.store(lora(tmp_path / "one"), str(tmp_path / "trainer"))
    (tmp_path / "trainer").rename(tmp_path / "mounted")
    with pytest.raises(AdapterMissing):
        adapter_files.fetch(served(stored), tmp_path / "cache")
    assert adapter_files.fetch(served(stored), tmp_path / "cache", str(tmp_path / "mounted")).is_dir()


def _fetch_when_told(told: ServedAdapter, cache: Path, start: multiprocessing.synchronize.Event) -> None:
    start.wait(30)
    adapter_files.fetch(told, cache)


def test_processes_that_fetch_at_once_all_get_the_whole_adapter(tmp_path: Path) -> None:
    stored = adapter_files.store(lora(tmp_path / "one", os.urandom(1 << 20)), str(tmp_path / "store"))
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    work = (served(stored), tmp_path / "cache", start)
    processes = [context.Process(target=_fetch_when_told, args=work) for _ in range(4)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [stored.adapter_id]
    assert adapter_files.faults(str(tmp_path / "cache" / stored.adapter_id), stored.sha256) == []


def test_nobody_ever_sees_a_half_stored_folder(tmp_path: Path) -> None:
    source = lora(tmp_path / "one", os.urandom(1 << 20))
    target = tmp_path / "store" / f"a-{hash_adapter(source)[:12]}"
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            if target.is_dir():
                seen.append(len(list(target.iterdir())))

    watcher = threading.Thread(target=look)
    watcher.start()
    adapter_files.store(source, str(tmp_path / "store"))
    time.sleep(0.05)
    done.set()
    watcher.join()
    assert set(seen) == {3}


def test_what_a_killed_process_left_is_swept_after_a_day(tmp_path: Path) -> None:
    old, young = (tmp_path / "store" / f".incoming-a-{name}" for name in ("old", "young"))
    for left in (old, young):
        lora(left)
    for path in (old, *old.iterdir()):
        os.utime(path, (0, 0))
    adapter_files.store(lora(tmp_path / "one"), str(tmp_path / "store"))
    assert (old.exists(), young.exists()) == (False, True)


def test_a_cache_keeps_what_was_used_within_a_month(tmp_path: Path) -> None:
    a, b, c = [
        served(adapter_files.store(lora(tmp_path / name, name.encode()), str(tmp_path / "store"))) for name in "abc"
    ]
    for one in (a, b):
        os.utime(adapter_files.fetch(one, tmp_path / "cache"), (0, 0))
    adapter_files.fetch(b, tmp_path / "cache")
    adapter_files.fetch(c, tmp_path / "cache")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {b.adapter_id, c.adapter_id}


@pytest.mark.parametrize("name", ["training_args.bin", "optimizer.pt", "a.pkl", "run.py", "folder.json", "link.json"])
def test_files_that_do_not_belong_are_refused_by_name(name: str, tmp_path: Path) -> None:
    source = lora(tmp_path / "one")
    if name == "folder.json":
        (source / name).mkdir()
    elif name == "link.json":
        (source / name).symlink_to(source / "adapter_config.json")
    else:
        (source / name).write_bytes(b"x")
    with pytest.raises(NotAnAdapter, match=name):
        adapter_files.store(source, str(tmp_path / "store"))


def test_a_folder_is_of_the_kind_that_it_says(tmp_path: Path) -> None:
    check_kind(lora(tmp_path / "lora"), "lora")
    check_kind(generator(tmp_path / "gan"), "gan")
    with pytest.raises(NotAnAdapter, match="'gan', not 'lora'"):
        check_kind(tmp_path / "gan", "lora")
    with pytest.raises(NotAnAdapter, match="not a folder"):
        adapter_files.store(tmp_path / "nowhere", str(tmp_path / "store"))
    (tmp_path / "lora" / "adapter_model.safetensors").unlink()
    with pytest.raises(NotAnAdapter, match=r"adapter_model\.safetensors"):
        hash_adapter(tmp_path / "lora")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip file with a pickle in it", b"\x02" + b"\0" * 7 + b"[]"])
def test_weights_that_are_no_safetensors_are_refused(content: bytes, tmp_path: Path) -> None:
    source = lora(tmp_path / "one")
    (source / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(NotAnAdapter, match="no safetensors file"):
        check_kind(source, "lora")


def test_weights_that_were_cut_off_are_refused(tmp_path: Path) -> None:
    weights = lora(tmp_path / "one") / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(NotAnAdapter, match="not written whole"):
        check_kind(tmp_path / "one", "lora")


def test_the_starters_own_adapter_is_one_that_is_taken_in(tmp_path: Path) -> None:
    starter = Path(adapter_files.__file__).parents[1] / "models" / "starter" / "adapter"
    check_kind(starter, "lora")
    stored = adapter_files.store(starter, str(tmp_path / "store"))
    assert adapter_files.fetch(served(stored), tmp_path / "cache").name == stored.adapter_id


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "", ".hidden", "a" * 65])
def test_an_id_that_could_lead_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    told = ServedAdapter(adapter_id=name, location=str(tmp_path), sha256="0" * 64)
    with pytest.raises(AdapterDamaged, match="no adapter's id"):
        adapter_files.fetch(told, tmp_path / "cache")


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("gs://bucket/adapters", "pip install gcsfs"),
        ("nonsense://host/x", "no address that fsspec knows"),
        ("ftp://me:geheim@host/x", "without a password"),
    ],
)
def test_an_address_that_cannot_work_says_why(address: str, advice: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=advice) as refused:
        adapter_files.store(lora(tmp_path / "one"), address)
    assert "geheim" not in str(refused.value)


def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="check the address"):
        adapter_files.store(lora(tmp_path / "one"), str(tmp_path / "file" / "store"))
