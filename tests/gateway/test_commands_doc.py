"""docs/commands.md says what the code does: the table of steps, the examples, the profile, the limits."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from facility import wire
from facility.catalog import load_catalog
from facility.points import Feedback, Requirement, Table
from facility.wire import Command, CommandStep, parse_topic
from gateway.carrier import BACK, PACE
from gateway.commander import FIRST_RETRY, LONGEST_RETRY, PROBLEM, UNTOLD, WAITING
from gateway.commands import FINAL, LONGEST_ID, STANDING, TABLE, Step
from gateway.override_book import DIRECTORY, REMEMBERED
from gateway.turn import IN_A_ROW

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()


def test_the_table_of_steps_is_the_one_that_runs() -> None:
    lines = ["| step | and then |", "| --- | --- |"]
    for step in Step:
        ways = "; ".join(f"{event}: {to}" for (at, event), to in TABLE.items() if at is step)
        lines.append(f"| {step}{' (final)' * (step in STANDING)} | {ways or 'the end'} |")
    assert "\n".join(lines) + "\n\n" in TEXT
    assert all(ways in FINAL for ways in STANDING)


def test_its_examples_decode() -> None:
    section = TEXT[TEXT.index("## Topics") : TEXT.index("## Who may")]
    topics = re.findall(r"Topic `([^`]+)`", section)
    assert [parse_topic(topic)[2] for topic in topics] == ["commands", "results"]
    command, *steps = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    found = wire.decode(Command, command.encode())
    assert (found.point, found.value, found.ttl) == ("circuit[2].command", False, 3600)
    assert [wire.decode(CommandStep, step.encode()).step for step in steps] == [Step.WRITING, Step.FAILED]
    assert {wire.decode(CommandStep, step.encode()).id for step in steps} == {found.id}


def test_its_profile_is_the_shipped_one() -> None:
    (example,) = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0])
    register = next(
        item for item in load_catalog().profiles["fw-light-1"].registers if item.point == "circuit[3].command"
    )
    assert register.writing is not None
    assert (register.writing.table, register.writing.address) == (Table.COIL, 2)
    assert register.writing.longest == example["write"]["longest"]
    assert register.writing.requires == (Requirement("mode", equals="auto"),)
    assert register.writing.feedback == Feedback("circuit[3].on", example["write"]["feedback"]["within"])


def test_its_figures_are_those_of_the_code() -> None:
    for words in (
        f"within {BACK:g} s", f"every {PACE:g} s", f"after {IN_A_ROW} of them", f"`{DIRECTORY}/{{gateway}}.json`",
        f"after {FIRST_RETRY:g} s, 10, 20, ... {LONGEST_RETRY:g} s", f"{UNTOLD:,} of them", f"| {WAITING}; more",
        f"the newest {REMEMBERED} |", f"{LONGEST_ID} characters", f"for {PROBLEM / 60:g}\nminutes",
    ):  # fmt: skip
        assert words in TEXT, words
