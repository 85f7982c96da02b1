"""The golden words inside profiles: all of the shipped ones through both forms of the codec, and bad ones named."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from facility.catalog import Catalog, load_catalog
from facility.errors import ConfigError
from facility.points import Example, Limits, Profile, Register
from facility.profilefile import WORDS, read_profile
from facility.readings import Quality, Value
from facility.yamlfile import load
from gateway.codec import Block
from gateway.examples import Judged, judged, looked, uncovered
from gateway.planner import plan

CATALOG = load_catalog()
WITH = {name: profile for name, profile in CATALOG.profiles.items() if profile.examples}
HEAD = "profile: own\nclass: power\nlabels: {zh: 自, en: own}\nsource: test\n"


def all_of(profile: Profile) -> Iterator[tuple[Example, Judged]]:
    registers = {register.point: register for register in profile.registers}
    points = CATALOG.classes[profile.asset_class].points
    for example in profile.examples:
        for found in judged(example, registers, points):
            yield example, found


@pytest.mark.parametrize("name", WITH)
def test_every_example_is_right(name: str) -> None:
    for example, found in all_of(WITH[name]):
        assert found.is_right, (example, found)


@pytest.mark.parametrize("name", WITH)
def test_polling_says_the_same(name: str) -> None:
    points = CATALOG.classes[WITH[name].asset_class].points
    for example, found in all_of(WITH[name]):
        (read,) = plan([found.register], Limits())
        bits = found.register.table.is_bits
        data = bytes(found.words) if bits else struct.pack(f">{len(found.words)}H", *found.words)
        assert Block(read, points).decode(data) == [(found.value, found.quality)], example


@pytest.mark.parametrize("name", WITH)
def test_every_register_has_an_example_and_some_are_bad(name: str) -> None:
    assert uncovered(WITH[name]) == ()
    reasons = {found.reason for _, found in all_of(WITH[name]) if found.expected is None}
    assert reasons
    assert None not in reasons  # shipped examples name the reason


@pytest.mark.parametrize("name", WITH)
def test_every_bit_and_state_table_is_seen_more_than_once(name: str) -> None:
    """A switch that is only ever shown off proves nothing."""
    seen: dict[str, set[Value]] = {}
    for _, found in all_of(WITH[name]):
        seen.setdefault(found.register.point, set()).add(found.value)
    switches = [item.point for item in WITH[name].registers if item.type in ("bit", "bool") or item.values]
    assert {key for key in switches if len(seen[key]) < 2} == set()


def test_there_are_many() -> None:
    assert len(WITH) >= 24
    assert sum(1 for profile in WITH.values() for _ in all_of(profile)) > 400


def own(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "own.yaml"
    path.write_text(HEAD + text)
    return read_profile(load(path), CATALOG.classes)


def told_of(tmp_path: Path, text: str, message: str) -> list[int]:
    """The lines of the problems that say `message`."""
    with pytest.raises(ConfigError) as error:
        own(tmp_path, text)
    return [problem.line for problem in error.value.problems if message in problem.message]


REGISTERS = """\
registers:
  - {point: f, address: 10, scale: 0.01, sentinels: [0xFFFF]}
  - {point: gen.run, table: discrete, address: 3}
  - {point: ats.switching, address: 11}
examples:
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  - {address: 10, words: [5000], expect: {pf: 1}}", "the profile has no register of pf"),
        ("  - {address: 11, words: [5000], expect: {f: 50}}", "f is holding 10..10, outside these words"),
        ("  - {address: 10, table: input, words: [5000], expect: {f: 50}}", "f is holding 10..10, outside these words"),
        ("  - {address: 10, words: [70000], expect: {f: 50}}", "a word of holding is 0 to 0xffff"),
        ("  - {address: 3, table: discrete, words: [2], expect: {gen.run: true}}", "a word of discrete is 0 to 0x1"),
        ("  - {address: 10, words: [5000], expect: {f: true}}", "True can not be a value of kind analog"),
        (
            "  - {address: 3, table: discrete, words: [1], expect: {gen.run: 1}}",
            "1 can not be a value of kind discrete",
        ),
        ("  - {address: 11, words: [1], expect: {ats.switching: 1.5}}", "1.5 can not be a value of kind enum"),
        ("  - {address: 10, words: [1], expect: {f: 0.01}, quality: {f: range}}", "only when `expect` says null"),
        ("  - {address: 10, words: [1], expect: {f: null}, quality: {f: stale}}", "sentinel, range, enum, sensor"),
        ("  - {address: 10, words: [], expect: {f: null}}", "at least 1 item"),
        ("  - {address: 10, words: [1], expect: {}}", "at least 1 item"),
        ("  - {address: 10, words: [1], expects: {f: 1}}", "unknown key"),
    ],
)
def test_a_wrong_example_is_told_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    assert told_of(tmp_path, REGISTERS + line + "\n", message) == [10]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{point: f, address: 0, fixed: 63}", "less than or equal to 62"),
        ("{point: pf, address: 0, encoding: four_quadrant}", "four_quadrant needs a float"),
        ("{point: pf, address: 0, type: float32, encoding: gray}", "four_quadrant"),
        ("{point: f, address: 0, type: float32, length: 4}", "float32 has 2 registers, not 4"),
        ("{point: gen.run, address: 0, type: bit, bit: 16}", "bit 16 is not in 1 registers"),
        ("{point: gen.run, address: 0, type: bit, bit: 1, length: 3}", "1, 2 or 4 registers, not in 3"),
        ("{point: f, address: 9}", "lies in the forbidden range holding 8..10"),
        ("{point: e.import, address: 20, type: uint64}", "4 registers do not fit into one request of this model (2)"),
    ],
)
def test_a_register_that_can_not_be_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    limits = "limits: {registers: 2, forbidden: [[holding, 8, 10]]}"
    assert told_of(tmp_path, f"{limits}\nregisters:\n  - {text}\n", message) == [7]


@pytest.mark.parametrize("ends", ["10, 8", "-1, 8", "8, 65536"])
def test_a_forbidden_range_that_forbids_nothing_is_told(tmp_path: Path, ends: str) -> None:
    text = f"limits:\n  forbidden: [[holding, {ends}]]\nregisters:\n  - {{point: f, address: 20}}\n"
    assert told_of(tmp_path, text, "is no range of addresses") == [6]


def test_an_unknown_key_hides_no_other_problem(tmp_path: Path) -> None:
    text = "registers:\n  - {point: f, address: 0, colour: red}\n  - {point: nope, address: 1}\n"
    assert told_of(tmp_path, text, "unknown key") == [6]
    assert told_of(tmp_path, text, "has no point 'nope'") == [7]


def register_of(tmp_path: Path, text: str) -> tuple[Profile, Register]:
    profile = own(tmp_path, f"registers:\n  - {text}\n")
    return profile, profile.registers[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{point: e.import, address: 0, type: uint64, sentinels: [0xFFFFFFFFFFFFFFFF]}", [0xFFFF] * 4),
        (
            "{point: e.import, address: 0, type: int64, sentinels: [0x7FFFFFFFFFFFFFFF]}",
            [0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF],
        ),
        ("{point: e.import, address: 0, type: float32, sentinels: [-999.9]}", [0xC479, 0xF99A]),
        ("{point: e.import, address: 0, type: float16, sentinels: [-0.1]}", [0xAE66]),
    ],
)
def test_sentinels_mean_what_the_file_says_to_the_last_bit(tmp_path: Path, text: str, words: list[int]) -> None:
    profile, register = register_of(tmp_path, text)
    (found,) = looked(profile, CATALOG.classes["power"].points, register.table, 0, words)
    assert (found.value, found.quality, found.is_right) == (None, Quality.SENTINEL, True)
    words[-1] -= 1
    (found,) = looked(profile, CATALOG.classes["power"].points, register.table, 0, words)
    assert found.quality is not Quality.SENTINEL


def test_fixed_point_and_scale_are_multiplied(tmp_path: Path) -> None:
    _, register = register_of(tmp_path, "{point: f, address: 0, fixed: 7, scale: 10}")
    assert register.scale == 10 / 128


@pytest.mark.parametrize(
    ("expected", "reason", "value", "quality", "right"),
    [
        (1.0, None, 1, Quality.GOOD, True),
        (0.30000001, None, 0.3, Quality.GOOD, True),
        (0.301, None, 0.3, Quality.GOOD, False),
        (True, None, 1, Quality.GOOD, False),
        (True, None, True, Quality.GOOD, True),
        ("A", None, "A", Quality.GOOD, True),
        ("1", None, 1, Quality.GOOD, False),
        (1, None, None, Quality.RANGE, False),
        (None, None, None, Quality.RANGE, True),
        (None, Quality.ENUM, None, Quality.RANGE, False),
        (None, None, 1, Quality.GOOD, False),
    ],
)
def test_right_or_not(
    catalog: Catalog, expected: Value, reason: Quality | None, value: Value, quality: Quality, right: bool
) -> None:
    register = catalog.profiles["xy-md1"].registers[0]
    assert Judged(register, (0,), value, quality, expected, reason).is_right is right


DOCS = Path(__file__).parents[2] / "docs" / "profiles.md"


def test_the_docs_name_every_profile_and_key() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert set(CATALOG.profiles) - {name for line in rows for name in re.findall(r"`([a-z0-9-]+)`", line)} == set()
    assert {type_ for type_ in WORDS if f"`{type_}`" not in text} == set()


def test_the_example_of_the_docs_is_right(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    path = tmp_path / "acme-x1.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    profile = read_profile(load(path), CATALOG.classes)
    assert [found.is_right for _, found in all_of(profile)] == [True] * 3
    assert plan(profile.registers, profile.limits)


@pytest.fixture
def catalog() -> Catalog:
    """The shipped catalog."""
    return CATALOG
