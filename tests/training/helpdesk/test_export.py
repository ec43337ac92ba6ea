"""What lies in the folder after an export, however often it was interrupted."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.presets import Presets
from training.data.helpdesk import fake, fake_data
from training.data.helpdesk.cursor import load
from training.data.helpdesk.errors import FolderTaken, OddAnswer, Unreachable
from training.data.reading.source import Rows, Source
from training.data.rows import Answer

from .conftest import Export


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_readers_take_what_was_exported(run: Export, tmp_path: Path, presets: Presets) -> None:
    cursor = run(tmp_path / "desk")
    assert cursor.finished()
    for kind, reader in (("articles", "knowledge_base"), ("tickets", "tickets")):
        lines, sections = (list(rows) for rows in (
            Rows(Source(path=tmp_path / "desk" / f"{kind}.jsonl"), presets),
            Rows(Source(path=tmp_path / "desk" / f"{kind}.txt", read=reader), presets),
        ))  # fmt: skip
        assert len(lines) == len(sections) >= 24
        for line, section in zip(lines, sections, strict=True):
            assert isinstance(line, Answer) and isinstance(section, Answer)
            assert (line.prompt, line.answer) == (section.prompt, section.answer)
            assert line.tags.get("outcome") == section.tags.get("outcome")


def test_articles_are_published_russian_and_plain(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    run(tmp_path / "desk", kinds=("articles",))
    found = records(tmp_path / "desk" / "raw" / "articles.jsonl")
    published = [one for one in zoho.articles if one["status"] == "Published"]
    assert [one["id"] for one in found] == [one["id"] for one in sorted(published, key=lambda one: one["createdTime"])]
    assert {one["locale"] for one in found} == {"ru"}, "English articles are taken in their translation"
    body = str(found[0]["body"])
    assert body == (
        "Не приходит код\n\nПроверьте, не закрыт ли приём коротких номеров.\n\n— Шаг первый.\n— Шаг второй.\n\n"
        "Остались вопросы? Пишите на <ПОЧТА>."
    )


def test_an_article_without_the_language_is_left_out_and_counted(run: Export, tmp_path: Path) -> None:
    cursor = run(tmp_path / "desk", kinds=("articles",), locale="de")
    assert cursor.listings["articles"].counts == {"left out: other language": 24}


def test_a_published_article_that_is_being_edited_gives_its_published_text(
    run: Export, zoho: fake.FakeZoho, tmp_path: Path
) -> None:
    one = zoho.articles[0]
    one["translations"] = {"ru": {**one, "translations": {}}}
    one |= {"answer": "<p>Черновик новой версии.</p>", "latestVersionStatus": "Draft"}
    run(tmp_path / "desk", kinds=("articles",))
    assert str(records(tmp_path / "desk" / "articles.jsonl")[0]["body"]).startswith("Не приходит код")


def test_tickets_carry_their_outcome(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    zoho.tickets[0]["isSpam"] = True
    cursor = run(tmp_path / "desk", kinds=("tickets",))
    statuses = {one["id"]: one["status"] for one in zoho.tickets}
    ready = records(tmp_path / "desk" / "tickets.jsonl")
    assert {(statuses[str(one["id"])], one["solved"]) for one in ready} == {("Закрыт", True), ("Отказ", False)}
    counts = cursor.listings["tickets"].counts
    assert counts["left out: spam"] == 1
    assert counts["only in raw: open"] == sum(status == "Открыт" for status in statuses.values())
    assert counts["tickets"] == len(records(tmp_path / "desk" / "raw" / "tickets.jsonl")) == 36


def test_a_ticket_is_its_first_letter_and_its_longest_reply(run: Export, tmp_path: Path) -> None:
    run(tmp_path / "desk", kinds=("tickets",))
    first = records(tmp_path / "desk" / "tickets.jsonl")[0]
    assert first["question"] == "Жду код подтверждения уже час, а его нет.\n\nС уважением, <ИМЯ>"
    assert first["answer"] == "Здравствуйте, <ИМЯ>!\n\nПроверьте, не закрыт ли приём коротких номеров.\n\n<ИМЯ>"
    whole = records(tmp_path / "desk" / "raw" / "tickets.jsonl")[0]
    assert [one["role"] for one in whole["messages"]] == ["customer", "agent", "customer", "agent"]  # type: ignore[attr-defined]


def test_no_personal_data_is_written(run: Export, tmp_path: Path) -> None:
    run(tmp_path / "desk")
    everything = b"".join(files(tmp_path / "desk").values()).decode()
    for word in ("Анна", "Кузнецов", "Пётр", "Волков", "4111", "916", "Садовая", "@example"):
        assert word not in everything
    for placeholder in ("<КАРТА>", "<ТЕЛЕФОН>", "<АДРЕС>", "<ИМЯ>", "<ПОЧТА>"):
        assert placeholder in everything


def test_a_customer_is_one_hash_that_sets_are_split_by(
    run: Export, zoho: fake.FakeZoho, tmp_path: Path, presets: Presets
) -> None:
    run(tmp_path / "desk", kinds=("tickets",))
    customers = {one["id"]: one["contactId"] for one in zoho.tickets}
    pairs = {(customers[str(one["id"])], one["person"]) for one in records(tmp_path / "desk" / "raw" / "tickets.jsonl")}
    assert len(pairs) == len({hashed for _, hashed in pairs}) == len(set(customers.values()))
    assert not any(customer in str(hashed) for customer, hashed in pairs)
    rows = list(Rows(Source(path=tmp_path / "desk" / "tickets.jsonl", person="person"), presets))
    assert len({row.person for row in rows}) > 5


def test_since_leaves_out_what_is_older(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    moment = "2024-01-02T00:00:00.000Z"
    cursor = run(tmp_path / "desk", since=moment, kinds=("tickets",))
    found = records(tmp_path / "desk" / "raw" / "tickets.jsonl")
    assert found and all(str(one["created"]) >= moment for one in found)
    older = sum(one["createdTime"] < moment for one in zoho.tickets)
    assert cursor.listings["tickets"].counts["left out: older"] == older > 0


def test_an_empty_desk_gives_empty_files(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    zoho.articles, zoho.tickets = [], []
    assert run(tmp_path / "desk").finished()
    assert files(tmp_path / "desk")["tickets.txt"] == b""


def test_a_long_letter_is_read_whole(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    ending = "Это последние слова."
    zoho.tickets = zoho.tickets[:1]
    zoho.tickets[0]["threads"][0]["content"] = "<p>" + "Очень длинное письмо. " * 40 + ending + "</p>"
    run(tmp_path / "desk", kinds=("tickets",))
    assert ending in str(records(tmp_path / "desk" / "tickets.jsonl")[0]["question"])


@pytest.mark.parametrize("hidden", [{"visibility": "private"}, {"status": "DRAFT"}, {"status": "FAILED"}])
def test_letters_that_the_customer_never_saw_are_not_read(
    run: Export, zoho: fake.FakeZoho, tmp_path: Path, hidden: dict[str, str]
) -> None:
    zoho.tickets = zoho.tickets[:1]
    zoho.tickets[0]["threads"][1] |= hidden | {"content": "Очень длинная внутренняя заметка о клиенте."}
    run(tmp_path / "desk", kinds=("tickets",))
    assert records(tmp_path / "desk" / "tickets.jsonl")[0]["answer"] == "Рады помочь."


def test_a_full_disk_loses_nothing(
    run: Export, zoho: fake.FakeZoho, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "whole", kinds=("tickets",))
    reach_the_disk, calls = os.fsync, iter(range(100))

    def full(file: int) -> None:
        if next(calls) == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        reach_the_disk(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path / "desk", kinds=("tickets",))
    run(tmp_path / "desk", kinds=("tickets",))
    assert files(tmp_path / "desk") == files(tmp_path / "whole")


def test_an_export_cut_short_anywhere_goes_on_to_the_same_files(
    run: Export, zoho: fake.FakeZoho, tmp_path: Path
) -> None:
    run(tmp_path / "whole")
    for requests in (1, 20, 77, 120, 180):
        cut = tmp_path / str(requests)
        zoho.stop_after = len(zoho.requests) + requests
        with pytest.raises(Unreachable):
            run(cut, retries=0)
        zoho.stop_after = None
        part = load(cut)
        assert part and not part.finished()
        run(cut)
        assert files(cut) == files(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_files(
    zoho: fake.FakeZoho, environment: dict[str, str], tmp_path: Path
) -> None:
    zoho.tickets = fake_data.tickets(130)
    command = [sys.executable, "-m", "otklik", "data", "helpdesk", "zoho", "--out"]
    quiet = {"env": {**os.environ, **environment}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    killed = subprocess.Popen([*command, str(tmp_path / "killed")], **quiet)  # type: ignore[call-overload]
    deadline = time.monotonic() + 30
    while len(zoho.requests) < 480 and time.monotonic() < deadline:
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    # What was appended after the last page that counts must not stay.
    with (tmp_path / "killed" / "tickets.jsonl").open("ab") as half:
        half.write(b'{"subject": "half a li')
    assert subprocess.run([*command, str(tmp_path / "killed"), "--resume"], **quiet).returncode == 0  # type: ignore[call-overload]
    assert subprocess.run([*command, str(tmp_path / "whole")], **quiet).returncode == 0  # type: ignore[call-overload]
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert zoho.most_at_once == 1, "requests go one at a time"


def test_records_deleted_while_it_rested_hide_no_others(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    zoho.stop_after = 160
    with pytest.raises(Unreachable):
        run(tmp_path / "desk", kinds=("tickets",), retries=0)
    zoho.stop_after = None
    part = load(tmp_path / "desk")
    assert part and part.listings["tickets"].position.start == 19
    zoho.tickets = [one for number, one in enumerate(zoho.tickets) if number % 3 == 0 or number >= 20]
    run(tmp_path / "desk", kinds=("tickets",))
    ids = [one["id"] for one in records(tmp_path / "desk" / "raw" / "tickets.jsonl")]
    assert len(ids) == len(set(ids))
    assert {one["id"] for one in zoho.tickets if not one["isSpam"]} <= set(ids)


def test_records_of_one_moment_are_neither_lost_nor_doubled(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    for one in zoho.tickets:
        one["createdTime"] = fake_data.moment(3)
    run(tmp_path / "desk", kinds=("tickets",))
    ids = [one["id"] for one in records(tmp_path / "desk" / "raw" / "tickets.jsonl")]
    assert sorted(map(str, ids)) == sorted(one["id"] for one in zoho.tickets if not one["isSpam"])


def test_a_listing_in_another_order_is_refused(run: Export, zoho: fake.FakeZoho, tmp_path: Path) -> None:
    zoho.sort = "-createdTime"
    with pytest.raises(OddAnswer, match="not sorted by createdTime"):
        run(tmp_path / "desk", kinds=("tickets",))


def test_a_folder_with_other_files_or_another_export_is_refused(run: Export, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "photo.jpg").write_bytes(b"")
    with pytest.raises(FolderTaken, match="not empty"):
        run(tmp_path / "taken")
    run(tmp_path / "desk", kinds=("articles",))
    with pytest.raises(FolderTaken, match=r"other options \(kinds\)"):
        run(tmp_path / "desk", kinds=("tickets",))
