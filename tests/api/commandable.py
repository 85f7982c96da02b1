"""A house with pumps that can be commanded, and a gateway on its bus that answers as a test tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facility.bus import Bus
from facility.catalog import Catalog
from facility.config import Site, load_site
from facility.wire import Command, CommandStep, commands_topic, decode, encode, results_topic
from tests.api.house import write_site

PROFILE = """
profile: test-pump
class: water_pump
labels: {zh: 试验泵组, en: Test pump set}
source: "this test"
table: holding
registers:
  - {point: sys.remote_access, address: 0, type: bit, bit: 0}
  - {point: sys.run, address: 1, type: bit, bit: 0,
     write: {table: coil, address: 5, two_people: true, feedback: {point: sys.run, within: 30}}}
  - {point: sys.setpoint_pct, address: 2, scale: 0.1,
     write: {low: 20, high: 80, longest: 3600, requires: [{point: sys.remote_access, equals: bus}]}}
  - {point: sys.operation_mode, address: 3, values: {0: 0, 1: 4, 2: 6, 3: 8}, write: {high: 6}}
  - {point: sys.flow, address: 4, scale: 0.1}
"""

DEVICES = """
devices:
  - {id: lift-1, profile: fw-lift-1, asset: EL-01, port: 5020}
  - {id: pump-1, profile: test-pump, asset: PS-01, port: 5022}
  - {id: meter-1, profile: eastron-sdm630, asset: PW-01, port: 5023}
  - {id: fire-1, profile: fw-fire-1, asset: FA-01, port: 5024, gateway: gw-2}
"""

WHOLE_WAY = ("received", "checking", "writing", "reading_back", "done")


def commandable_site(folder: Path) -> Path:
    """The small house's site with one pump set that can be commanded."""
    write_site(folder)
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "test-pump.yaml").write_text(PROFILE, encoding="utf-8")
    (folder / "devices.yaml").write_text(DEVICES, encoding="utf-8")
    return folder


_LOADED: list[tuple[Site, Catalog]] = []


def commandable(folder: Path) -> tuple[Site, Catalog]:
    """That site and its catalog, read once for all tests of a process: both are frozen."""
    if not _LOADED:
        _LOADED.append(load_site(commandable_site(folder / "commandable"), env={}))
    return _LOADED[0]


@dataclass
class FakeGateway:
    """Takes commands and tells these steps of each, the last one final. `taken`: every command that came."""

    bus: Bus
    steps: Sequence[str] = WHOLE_WAY
    message: str = ""
    taken: list[Command] = field(default_factory=list)
    site: str = "tower"
    id: str = "gw-1"

    async def tell(self, command: Command, step: str, at: int, *, final: bool = False, message: str = "") -> None:
        """One step of a command."""
        value = command.value if step in ("writing", "reading_back") else None
        told = CommandStep(command.id, command.asset, command.point, step, at, value, message, final)
        await self.bus.publish(results_topic(self.site, self.id), encode(told))

    async def answer(self) -> None:
        """Answer every command until cancelled."""
        async with self.bus.subscribe(commands_topic(self.site, self.id)) as subscription:
            async for message in subscription:
                command = decode(Command, message.payload)
                self.taken.append(command)
                for number, step in enumerate(self.steps, start=1):
                    final = number == len(self.steps)
                    said = self.message if final else ""
                    await self.tell(command, step, command.at + number, final=final, message=said)
