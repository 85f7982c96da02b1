"""Writes docs/faults.md, every fault and act of the simulated hardware: `make fault-table`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from facility.catalog import load_catalog
from facility.hardware import Fault, On, Param
from facility.units import symbol
from simulators.faultfile import repertoire

FILE = Path(__file__).resolve().parent.parent / "docs" / "faults.md"
HEAD = """\
# Every fault of the simulated hardware 模拟设备的全部故障

Made from `simulators/faults/*.yaml` by `make fault-table`. How to use them: [simulators.md](simulators.md).

*Length* is the whole time course; *expected* are the alarms that must come when the fault is played so, with severity
and the seconds after its beginning in which they come; *(planned)* marks those whose rule is still to be written.
"""
TITLES = {
    On.POINT: "A point of any asset 测点",
    On.DEVICE: "A device's wire 通信线路",
    On.GATEWAY: "A gateway 网关",
    On.BROKER: "The broker 消息总线",
    On.PEOPLE: "The people on duty 值班人员",
}


def text() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{line}\n" if line.startswith("#") else f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    found = repertoire()
    classes = load_catalog().classes
    owners = dict.fromkeys([*(key for key, _ in found.faults), *(key for key, _ in found.acts)])
    for owner in sorted(owners, key=lambda item: (item in TITLES, item)):
        label = classes[owner].label if owner not in TITLES else None
        yield f"## {label.en} {label.zh}" if label else f"## {TITLES[On(owner)]}"
        faults = sorted(found.faults_of(owner).values(), key=lambda fault: (fault.id, fault.name))
        if faults:
            yield "\n| id | fault | | length | params | expected |\n| --- | --- | --- | --- | --- | --- |"
            yield from (_fault(fault) for fault in faults)
        acts = found.acts_of(owner).values()
        if acts:
            yield "\n| act | | params |\n| --- | --- | --- |"
            yield from (f"| `{act.name}` | {act.label.en} {act.label.zh} | {_params(act.params)} |" for act in acts)


def _fault(fault: Fault) -> str:
    expected = "<br>".join(
        f"`{one.rule}` {one.severity}{'' if one.of == 'self' else f' on {one.of}'}, {one.first:.9g}..{one.last:.9g} s"
        + (" (planned)" if one.planned else "")
        for one in fault.expect
    )
    cells = (fault.id, f"`{fault.name}`", f"{fault.label.en} {fault.label.zh}", _length(fault.lasts))
    return f"| {' | '.join(cells)} | {_params(fault.params)} | {expected or '-'} |"


def _params(params: Mapping[str, Param]) -> str:
    return ", ".join(f"`{name}` {one.default:.9g} {symbol(one.unit)}".strip() for name, one in params.items())


def _length(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{seconds:g} s"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
