"""`caretaker profile test`: a profile file tried without a device: its problems, its plan, its golden words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from facility.assets import Device
from facility.catalog import Catalog, read_catalog
from facility.errors import ConfigError, Problem
from facility.points import Kind, Point, Profile, Register, Table
from facility.profilefile import read_profile
from facility.readings import Value
from facility.units import symbol
from facility.yamlfile import load
from gateway.check import planned
from gateway.examples import Judged, judged, looked, uncovered
from gateway.planner import UnreadableError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Device profiles.")
GIVEN = re.compile(r"\s*(coil|discrete|input|holding)\s+(0x[0-9a-fA-F]+|\d+)\s*:\s*(.+)")
"""TABLE ADDRESS: WORDS, such as `holding 0: 4361 0000`."""
HOW = "no examples yet; add words from the manual, or from a device whose display you can see:"


@app.callback()
def _commands() -> None:
    """Device profiles / 设备型号文件."""


@app.command("test")
def try_profile(
    file: Annotated[Path, typer.Argument(help="profile file / 设备型号文件", dir_okay=False)],
    folder: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="site folder / 站点目录")] = None,
    words: Annotated[
        list[str] | None, typer.Option(help="decode these, as 'holding 0: 4361 0000' / 解码给定的寄存器")
    ] = None,
) -> None:
    """Check a profile, print its reads and its decoded examples / 检查设备型号文件并打印解码结果."""
    try:
        profile, catalog = _load(file, folder)
        given = [_given(text, profile) for text in words or ()]
        plan = list(_plan(profile, catalog, file))
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        typer.echo(f"{len(error.problems)} problem(s)", err=True)
        raise typer.Exit(1) from error
    points = catalog.classes[profile.asset_class].points
    typer.echo(
        f"{profile.id}  {profile.asset_class}  {profile.label.zh} / {profile.label.en}\nsource: {profile.source}"
    )
    _echo(plan)
    for table, address, found in given:
        _echo(_look(profile, points, table, address, found))
    if not given and not _examples(profile, points):
        raise typer.Exit(1)


def _load(file: Path, folder: Path | None) -> tuple[Profile, Catalog]:
    """The profile in a catalog of its own; ConfigError with every problem of it and of the site's classes."""
    catalog, problems = read_catalog(folder)
    wrong = [problem for problem in problems if Path(problem.file).parent.name == "classes"]
    try:
        profile = read_profile(load(file), catalog.classes)
    except ConfigError as error:
        raise ConfigError([*wrong, *error.problems]) from error
    if wrong:
        raise ConfigError(wrong)
    return profile, Catalog(catalog.classes, {profile.id: profile})


def _given(text: str, profile: Profile) -> tuple[Table, int, list[int]]:
    """Words as someone types them; ConfigError when they are none, or no register lies in them."""
    match = GIVEN.fullmatch(text)
    table = Table(match[1]) if match else Table.HOLDING
    try:
        words = [int(word, 16) for word in re.split(r"[\s,]+", match[3].strip())] if match else []
    except ValueError:
        words = []
    most = 1 if table.is_bits else 0xFFFF
    if match is None or not words or max(words) > most or min(words) < 0:
        what = "0 or 1 each" if table.is_bits else "hexadecimal words"
        raise ConfigError([Problem("--words", 0, "", f"{text!r} is not like 'holding 0: 4361 0000' ({what})")])
    address = int(match[2], 0)
    inside = range(address, address + len(words))
    if not any(
        register.table is table and register.address in inside and register.address + register.words - 1 in inside
        for register in profile.registers
    ):
        message = f"no register of {profile.id} lies whole in {table} {address}..{inside[-1]}"
        raise ConfigError([Problem("--words", 0, "", message)])
    return table, address, words


def _plan(profile: Profile, catalog: Catalog, file: Path) -> Iterator[str]:
    """The reads in short; ConfigError when some can't be made."""
    if profile.protocol != "modbus":
        yield f"{sum(len(topic.values) for topic in profile.topics)} values in {len(profile.topics)} topics"
        return
    try:
        plan = planned(Device(profile.id, "", profile.id, ""), catalog)
    except UnreadableError as error:
        raise ConfigError([Problem(str(file), 0, "registers", str(error))]) from error
    reads = sum(len(cycle.reads) for cycle in plan.cycles)
    yield f"{len(profile.registers)} points in {reads} reads:"
    for cycle in plan.cycles:
        ranges = ", ".join(f"{read.table} {read.address}..{read.end - 1}" for read in cycle.reads[:6])
        more = f" and {len(cycle.reads) - 6} more" if len(cycle.reads) > 6 else ""
        yield f"  every {cycle.interval:g} s about {plan.seconds(cycle) * 1000:.0f} ms: {ranges}{more}"


def _look(
    profile: Profile, points: Mapping[str, Point], table: Table, address: int, words: Sequence[int]
) -> Iterator[str]:
    yield f"{table} {address}..{address + len(words) - 1}"
    yield from _columns([_row(found, points) for found in looked(profile, points, table, address, words)])


def _examples(profile: Profile, points: Mapping[str, Point]) -> bool:
    """Print what the examples say; whether all of it is right."""
    if profile.protocol != "modbus":
        _echo(_columns([[value.point, topic.topic, value.path] for topic in profile.topics for value in topic.values]))
        typer.echo("examples are for registers; payloads are tried with a broker")
        return True
    if not profile.examples:
        _echo(_columns([_place(register, points[register.point]) for register in profile.registers]))
        typer.echo(f"{HOW}\nexamples:\n  - {_blank(profile.registers[0])}")
        return True
    registers = {register.point: register for register in profile.registers}
    right = values = 0
    for example in profile.examples:
        found = list(judged(example, registers, points))
        right, values = right + sum(item.is_right for item in found), values + len(found)
        last = example.address + len(example.words) - 1
        typer.echo(f"{example.table} {example.address}..{last}" + (f"  {example.note}" if example.note else ""))
        _echo(_columns([[*_row(item, points), *_verdict(item)] for item in found]))
    missing = uncovered(profile)
    if missing:
        typer.echo(f"without an example: {', '.join(missing)}")
    typer.echo(f"{len(profile.examples)} examples, {values} values: " + _sum(values - right))
    return right == values


def _blank(register: Register) -> str:
    """An example of a register to be filled in."""
    words = ", ".join(["0"] * register.words if register.table.is_bits else ["0x0000"] * register.words)
    place = f"table: {register.table}, address: {register.address}"
    return f'{{{place}, words: [{words}], expect: {{"{register.point}": null}}}}'


def _sum(wrong: int) -> str:
    return f"{wrong} NOT as expected" if wrong else "all as expected"


def _row(found: Judged, points: Mapping[str, Point]) -> list[str]:
    point = points[found.register.point]
    digits = 1 if found.register.table.is_bits else 4
    words = " ".join(f"{word:0{digits}X}" for word in found.words)
    return [point.key, f"{point.label.zh} {point.label.en}", words, _value(found.value, point), str(found.quality)]


def _verdict(found: Judged) -> list[str]:
    expected = f"bad ({found.reason})" if found.reason else "bad" if found.expected is None else _number(found.expected)
    return [f"expected {expected}", "ok" if found.is_right else "NOT"]


def _value(value: Value, point: Point) -> str:
    """A value as people read it: with its unit, or with the code of its state."""
    if value is None:
        return "-"
    if point.kind in (Kind.ENUM, Kind.DISCRETE) and not isinstance(value, str):
        state = point.states.get(int(value))
        return f"{_number(value)} {state.code}" if state else _number(value)
    return f"{_number(value)} {symbol(point.unit)}".rstrip()


def _number(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _place(register: Register, point: Point) -> list[str]:
    """Where a register is and how it becomes a value."""
    last = register.address + register.words - 1
    where = f"{register.table} {register.address}" + (f"..{last}" if register.words > 1 else "")
    if register.type in ("bit", "bits"):
        first, end = register.bits
        where += f" bit {first}" if first == end else f" bits {first}..{end}"
    orders = (("words", register.word_order), ("bytes", register.byte_order))
    how = [f"{what} low first" for what, order in orders if order == "little"]
    how += [f"x {register.scale:.6g}"] if register.scale != 1 else []
    how += [f"{register.offset:+.6g}"] if register.offset else []
    how += [register.encoding] if register.encoding else []
    how += (
        [f"not available: {', '.join(f'{raw:g}' for raw in sorted(register.sentinels))}"] if register.sentinels else []
    )
    label = f"{point.label.zh} {point.label.en}"
    return [where, register.type, point.key, label, symbol(point.unit), "; ".join(how)]


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows under each other; a Chinese character is two columns wide."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _echo(lines: Iterator[str] | Sequence[str]) -> None:
    for line in lines:
        typer.echo(line)
