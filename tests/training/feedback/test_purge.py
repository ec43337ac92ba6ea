"""Whoever is forgotten leaves every frozen set, and the manifests say so."""

from __future__ import annotations

import json
from pathlib import Path

from storage.database import Database, upgrade
from storage.settings import StorageSettings
from tests.training.feedback.made import entry, given, judged, log_of
from tests.training.feedback.test_freeze import crowd, thumb
from training.cycle.forgetting import ByHand
from training.data import sets
from training.data.feedback import FeedbackRules, freeze, purge
from training.data.rows import Row

RULES = FeedbackRules(held_out=0)


def test_a_forgotten_person_leaves_every_set_and_nobody_else_does(tmp_path: Path) -> None:
    in_group = entry(given("g", "Я рад за всех!", judged("7", thumb=1)), person="1", others=("3",), prompt="Привет!")
    places = [tmp_path / "jobs" / name / "sets" for name in ("one", "two")]
    for place, more in zip(places, ([in_group], [thumb("200", 1, -1)]), strict=True):
        with log_of(*crowd(9, 4), *more) as log:
            freeze(log, place, RULES)
    before = {place: list(sets.load(place / "feedback").train(Row)) for place in places}
    mixed = tmp_path / "jobs" / "one" / "mixed_kto"
    sets.write(mixed, before[places[0]], [], {"method": "kto"})
    manifest = dict(sets.load(places[0] / "feedback").manifest)

    removed = purge(tmp_path, [7])

    # Four rows of their own, and the judgement of somebody else's answer in a group.
    assert removed == {mixed: 5, places[0] / "feedback": 5, places[1] / "feedback": 4}
    for place in places:
        left = list(sets.load(place / "feedback").train(Row))
        assert left == [row for row in before[place] if row in left]
        assert len(before[place]) - len(left) == removed[place / "feedback"]
    now = sets.load(places[0] / "feedback").manifest
    assert now["purged"] == {"rows": 5, "sha256": manifest["sha256"]}
    assert now["sha256"] != manifest["sha256"]
    assert now["rows"][sets.TRAIN] == manifest["rows"][sets.TRAIN] - 5
    whole = json.loads((places[0] / "manifest.json").read_text(encoding="utf-8"))
    assert whole["purged"] == 5
    assert whole["sets"]["feedback"]["sha256"] == now["sha256"]


def test_who_spoke_in_somebody_elses_window_leaves_too(tmp_path: Path) -> None:
    one = entry(given("g", "Я рад за всех!", judged("1", thumb=1)), person="1", others=("3",), prompt="Привет!")
    with log_of(one, thumb("1", 1, -1)) as log:
        freeze(log, tmp_path / "sets", RULES)
    assert purge(tmp_path, [3]) == {tmp_path / "sets" / "feedback": 1}


def test_purging_again_or_somebody_unknown_changes_nothing(tmp_path: Path) -> None:
    with log_of(*crowd(5, 4)) as log:
        freeze(log, tmp_path / "sets", RULES)
    purge(tmp_path, [2])
    stamp = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert purge(tmp_path, [2, 4242]) == {}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == stamp


def test_a_second_purge_still_tells_the_first_hashes(tmp_path: Path) -> None:
    with log_of(*crowd(5, 4)) as log:
        made = freeze(log, tmp_path / "sets", RULES)
    assert made.feedback is not None
    first = dict(sets.load(made.feedback).manifest)["sha256"]
    purge(tmp_path, [2])
    purge(tmp_path, [3])
    assert sets.load(made.feedback).manifest["purged"] == {"rows": 8, "sha256": first}


async def test_the_trainer_purges_sets_that_were_built_by_hand_and_no_newer_ones(tmp_path: Path) -> None:
    storage = StorageSettings(dir=tmp_path)
    await upgrade(storage.database())
    database, watch = Database(storage.database()), ByHand(tmp_path)
    older, job, newer = tmp_path / "my-sets", tmp_path / "jobs" / "one" / "sets", tmp_path / "since"
    for place in (older, job):
        with log_of(*crowd(9, 4)) as log:
            freeze(log, place, RULES)
    assert await watch.look(database) == 0
    async with database.unit() as unit:
        await unit.people.forget(7)
        await unit.commit()
    with log_of(*crowd(9, 4)) as log:
        freeze(log, newer, RULES)  # they came back and agreed anew
    assert await watch.look(database) == 4
    left = {place: len(list(sets.load(place / "feedback").train(Row))) for place in (older, job, newer)}
    assert left[job] == left[newer] == left[older] + 4, "a job's own sets are the job's business"
    assert await watch.look(database) == 0 and await ByHand(tmp_path).look(database) == 0
    await database.close()
