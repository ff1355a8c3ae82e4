"""The noise floor on the disk: one for each class of machine, and one clear sentence for all that may be wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from tailgate import noise_floor
from tailgate.baseline_match import BLOCKING
from tailgate.errors import BaselineFileError
from tailgate.fingerprint import take_fingerprint
from tailgate.noise_floor import (
    MACHINE,
    PATH,
    FoundFloor,
    NoiseFloor,
    find_floor,
    load_noise_floor,
    parse_floors,
    render_floors,
    save_noise_floor,
    this_machine,
)

SMALL = {
    "cpu_model": "EPYC",
    "cpu_count": 2,
    "usable_cpu_count": 2,
    "cpu_limit": None,
    "memory_bytes": 8_000_000_000,
    "memory_limit_bytes": None,
    "machine": "x86_64",
}
LARGE = {**SMALL, "cpu_count": 64, "usable_cpu_count": 64}
FLOOR = NoiseFloor(machine=SMALL, ratio=0.0123, duets=12, false_alarms=1, learned_on="2025-03-01")


def refusal(text: str) -> str:
    with pytest.raises(BaselineFileError) as caught:
        parse_floors(text)
    return str(caught.value)


def changed(**changes) -> str:
    """The file of one floor, with other values in it."""
    document = json.loads(render_floors([FLOOR]))
    document["floors"][0].update(changes)
    return json.dumps(document)


def test_what_is_written_is_read():
    assert parse_floors(render_floors([FLOOR, replace(FLOOR, machine=LARGE)])) == (FLOOR, replace(FLOOR, machine=LARGE))


def test_the_file_can_be_read_by_people():
    assert render_floors([FLOOR]).splitlines()[:6] == [
        "{",
        '  "schema": 1,',
        '  "floors": [',
        "    {",
        '      "machine": {',
        '        "cpu_model": "EPYC",',
    ]


def test_a_floor_says_what_it_rests_on():
    assert str(FLOOR) == "noise floor 1.2 %, learned here from 12 duets on 2025-03-01 (1 false alarm)"


def test_the_floor_of_the_same_class_of_machine_is_found():
    a_little_more = {**SMALL, "memory_bytes": 8_100_000_000}

    assert find_floor([replace(FLOOR, machine=LARGE), FLOOR], a_little_more) == FoundFloor(floor=FLOOR)
    assert FoundFloor(floor=FLOOR).ratio == 0.0123


def test_the_floor_of_another_class_is_not_used_and_the_nearest_one_is_named():
    other = replace(FLOOR, machine={**LARGE, "cpu_model": "Xeon"})

    found = find_floor([other, FLOOR], {**SMALL, "cpu_limit": 1.5})

    assert found.ratio is None
    assert found.reason == (
        "no noise floor was learned on this class of machine: .tailgate/noise-floor.json is of another class of "
        "machine: cpu_limit was unknown, is 1.5; tailgate calibrate learns it"
    )


def test_an_empty_file_of_floors_says_so():
    assert find_floor([], SMALL).reason == (
        "no noise floor was learned on this class of machine: .tailgate/noise-floor.json holds none; "
        "tailgate calibrate learns it"
    )


def test_the_class_of_a_machine_is_part_of_its_fingerprint():
    assert this_machine() == {field: take_fingerprint()[field] for field in MACHINE}
    assert {f"fingerprint.{field}" for field in MACHINE} <= BLOCKING.keys()


def test_nothing_is_known_before_the_first_calibration(tmp_path: Path):
    assert load_noise_floor(tmp_path).reason == (
        "no noise floor was learned on this class of machine: .tailgate/noise-floor.json does not exist; "
        "tailgate calibrate learns it"
    )
    assert list(tmp_path.iterdir()) == []


def test_what_was_learned_here_is_found_here(tmp_path: Path):
    floor = NoiseFloor.of_this_machine(ratio=0.02, duets=8, false_alarms=0)

    assert save_noise_floor(tmp_path, floor) == tmp_path / PATH
    assert load_noise_floor(tmp_path) == FoundFloor(floor=floor)


def test_a_floor_replaces_the_one_of_its_class_alone(tmp_path: Path):
    elsewhere = replace(FLOOR, machine=LARGE)
    for floor in (elsewhere, FLOOR, replace(FLOOR, ratio=0.03)):
        save_noise_floor(tmp_path, floor)

    assert parse_floors((tmp_path / PATH).read_text(encoding="utf-8")) == (elsewhere, replace(FLOOR, ratio=0.03))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_broken_file_is_left_as_it_is(tmp_path: Path):
    (tmp_path / PATH).parent.mkdir()
    (tmp_path / PATH).write_text("{", encoding="utf-8")

    for use in (load_noise_floor, lambda root: save_noise_floor(root, FLOOR)):
        with pytest.raises(BaselineFileError, match=r"^\.tailgate/noise-floor\.json: broken: not JSON: "):
            use(tmp_path)
    assert (tmp_path / PATH).read_text(encoding="utf-8") == "{"


def test_a_file_that_is_not_utf_8_is_broken(tmp_path: Path):
    (tmp_path / PATH).parent.mkdir()
    (tmp_path / PATH).write_bytes(b"\xff")

    with pytest.raises(BaselineFileError, match="broken: not UTF-8"):
        load_noise_floor(tmp_path)


def test_a_place_that_cannot_be_read_or_written_is_told(tmp_path: Path):
    (tmp_path / ".tailgate").write_text("in the way", encoding="utf-8")

    with pytest.raises(BaselineFileError, match="cannot be read: Not a directory; check the path"):
        load_noise_floor(tmp_path)
    with pytest.raises(BaselineFileError, match="cannot be written: File exists; check the path"):
        save_noise_floor(tmp_path, FLOOR)


def test_a_writer_that_waits_too_long_says_for_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(noise_floor, "_PATIENCE_S", 0.01)
    (tmp_path / PATH).parent.mkdir()

    with FileLock(tmp_path / ".tailgate" / ".noise-floor.lock"), pytest.raises(BaselineFileError) as caught:
        save_noise_floor(tmp_path, FLOOR)

    assert str(caught.value) == (
        ".tailgate/noise-floor.json: another process has been writing for 0 s; end that process, and run again"
    )


def test_a_newer_file_asks_for_a_newer_tailgate():
    assert refusal('{"schema": 2}') == (
        ".tailgate/noise-floor.json: schema 2, written by a newer tailgate; this one reads schema 1; upgrade tailgate"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "broken: $: [] is not of type 'object'"),
        ("NaN", "broken: not JSON: NaN is not a number that JSON can hold"),
        ("[" * 100_000, "broken: not JSON: "),
        ('{"schema": 0, "floors": []}', "broken: $.schema: 1 was expected"),
        (changed(ratio=-0.1), "broken: $.floors[0].ratio: -0.1 is less than the minimum of 0"),
        (changed(duets="many"), "broken: $.floors[0].duets: 'many' is not of type 'integer'"),
        (changed(machine={}), "broken: $.floors[0].machine: 'cpu_model' is a required property"),
        (changed(comment=""), "broken: $.floors[0]: Additional properties are not allowed ('comment' was unexpected)"),
        (changed(learned_on="yesterday"), "broken: $.floors[0].learned_on: 'yesterday' does not match "),
    ],
)
def test_a_broken_file_is_one_clear_error(text: str, reason: str):
    told = refusal(text)

    assert told.startswith(f".tailgate/noise-floor.json: {reason}")
    assert told.endswith("; move it away, and learn it again with tailgate calibrate")


@given(st.text() | st.recursive(st.none() | st.integers(), st.lists, max_leaves=5).map(json.dumps))
def test_no_text_raises_anything_else(text: str):
    with pytest.raises(BaselineFileError):
        parse_floors(text)
