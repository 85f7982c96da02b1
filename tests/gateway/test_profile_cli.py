"""`caretaker profile test` as someone who writes a profile meets it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facility.catalog import SHIPPED
from gateway.profile_cli import app

Write = Callable[[str], Path]
HEAD = """\
profile: box
class: power
labels: {zh: 盒, en: Box}
source: test
"""
GOOD = (
    HEAD
    + """\
limits: {registers: 20}
registers:
  - {point: f, address: 10, scale: 0.01, sentinels: [0xFFFF]}
  - {point: p.total, address: 12, type: int32, scale: 0.001}
  - {point: ats.position, address: 40}
  - {point: gen.run, table: discrete, address: 3}
"""
)
EXAMPLES = """\
examples:
  - {address: 10, words: [5002, 0, 0xFFFF, 0xF63C], expect: {f: 50.02, p.total: -2.5}, note: feeding back}
  - {address: 10, words: [0xFFFF], expect: {f: null}, quality: {f: sentinel}}
  - {address: 40, words: [2], expect: {ats.position: 2}}
"""


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["test", *map(str, arguments)], terminal_width=300)
    return result.exit_code, result.output


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "box.yaml"
        path.write_text(text)
        return path

    return written


def test_plan_and_a_decoded_table(write: Write) -> None:
    code, output = run(write(GOOD + EXAMPLES))
    assert code == 0, output
    lines = output.splitlines()
    assert lines[0] == "box  power  盒 / Box"
    assert "4 points in " in output
    assert any(line.startswith("  every 1 s about ") and "holding 12..13" in line for line in lines)
    assert "holding 10..13  feeding back" in lines
    (f,) = [line for line in lines if line.startswith("  f ") and "138A" in line]
    assert f.split() == ["f", "频率", "Frequency", "138A", "50.02", "Hz", "good", "expected", "50.02", "ok"]
    (power,) = [line for line in lines if "FFFF F63C" in line]
    assert f.index("good") == power.index("good") + 3  # three Chinese characters fewer, of two columns each
    assert power.split()[-6:] == ["-2.5", "kW", "good", "expected", "-2.5", "ok"]
    assert any("FFFF" in line and line.endswith("-  sentinel  expected bad (sentinel)  ok") for line in lines)
    assert any("2 source2" in line for line in lines)
    assert lines[-2:] == ["without an example: gen.run", "3 examples, 4 values: all as expected"]


def test_what_is_not_as_expected_is_marked_and_fails(write: Write) -> None:
    code, output = run(write(GOOD + EXAMPLES.replace("50.02", "50.2").replace("sentinel}", "range}")))
    assert code == 1
    assert output.count("NOT") == 3
    assert "expected 50.2" in output
    assert output.splitlines()[-1] == "3 examples, 4 values: 2 NOT as expected"


def test_every_problem_at_once_with_file_and_line(write: Write) -> None:
    path = write(
        HEAD
        + "limits: {registers: 2, forbidden: [[holding, 0, 2]]}\n"
        + "registers:\n"
        + "  - {point: f, address: 1}\n"
        + "  - {point: nope, address: 5}\n"
        + "  - {point: pf, address: 5, type: uint24}\n"
        + "  - {point: u.l1n, address: 5, colour: red}\n"
        + "  - {point: e.import, address: 20, type: uint64}\n"
        + "examples:\n"
        + "  - {address: 1, words: [1], expect: {i.l1: 1}}\n"
    )
    code, output = run(path)
    assert code == 1
    for line, message in [
        (7, "lies in the forbidden range"), (8, "no point 'nope'"), (9, "'uint24' is none of"), (10, "unknown key"),
        (10, "has bits that nope holds already"), (11, "do not fit into one request"), (13, "no register of i.l1"),
    ]:  # fmt: skip
        assert any(text.startswith(f"{path}:{line}: ") and message in text for text in output.splitlines()), message
    assert output.splitlines()[-1] == "7 problem(s)"


def test_without_examples_the_registers_and_how_to_add_some(write: Write) -> None:
    code, output = run(write(GOOD))
    assert code == 0
    assert any("holding 12..13" in line and "int32" in line and "x 0.001" in line for line in output.splitlines())
    assert "not available: 65535" in output
    assert output.endswith('  - {table: holding, address: 10, words: [0x0000], expect: {"f": null}}\n')


def test_the_example_that_is_offered_can_be_pasted(write: Write) -> None:
    _, output = run(write(GOOD))
    offered = output[output.index("examples:") :]
    assert run(write(GOOD + offered))[1].splitlines()[-1] == "1 examples, 1 values: 1 NOT as expected"  # 0 Hz is good


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("holding 10: 138A", "50.02 Hz"),
        ("holding 10: 0x138a,0000,FFFF,F63C", "-2.5 kW"),
        ("holding 0x0A:  FFFF", "sentinel"),
        ("discrete 3: 1", "true running"),
        ("holding 40: 9", "enum"),
    ],
)
def test_words_given_by_hand(write: Write, words: str, line: str) -> None:
    code, output = run(write(GOOD + EXAMPLES), "--words", words)
    assert code == 0
    assert line in output
    assert "expected" not in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("holding 10", "is not like 'holding 0: 4361 0000'"),
        ("coils 10: 1", "is not like 'holding 0: 4361 0000'"),
        ("holding 10: 138G", "hexadecimal words"),
        ("holding 10: 12345", "hexadecimal words"),
        ("holding 10: -1", "hexadecimal words"),
        ("discrete 3: 2", "0 or 1 each"),
        ("holding 12: 0000", "no register of box lies whole in holding 12..12"),
    ],
)
def test_words_that_are_none(write: Write, words: str, message: str) -> None:
    code, output = run(write(GOOD), "--words", words)
    assert code == 1
    assert message in output


def test_classes_of_a_site_count(write: Write, tmp_path: Path) -> None:
    (tmp_path / "site" / "classes").mkdir(parents=True)
    own = tmp_path / "site" / "classes" / "pool.yaml"
    own.write_text(
        "class: pool\nlabels: {zh: 泳池, en: Pool}\npoints:\n"
        "  water.temp: {kind: analog, unit: Cel, range: [0, 50], zh: 水温, en: Water temperature}\n"
    )
    text = HEAD.replace("power", "pool") + "registers:\n  - {point: water.temp, address: 0, scale: 0.1}\n"
    path = write(text)
    assert run(path)[0] == 1
    code, output = run(path, "--folder", tmp_path / "site", "--words", "holding 0: 0109")
    assert code == 0
    assert "水温 Water temperature  0109  26.5 °C" in output
    own.write_text("class: pool\n")
    code, output = run(path, "--folder", tmp_path / "site")
    assert code == 1
    assert f"{own}:1: labels: is missing" in output


@pytest.mark.parametrize("name", ["schneider-pm5000", "zigbee2mqtt-leak", "apc-smart-ups"])
def test_shipped_profiles_pass(name: str) -> None:
    code, output = run(SHIPPED / "profiles" / f"{name}.yaml")
    assert code == 0, output


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    code, output = run(tmp_path / "no.yaml")
    assert code == 1
    assert "cannot be read" in output
