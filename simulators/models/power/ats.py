"""The transfer switch as its controller shows it, and the failures of the supply behind it; pure."""

from __future__ import annotations

from collections.abc import Mapping

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.power.feed import NOMINAL, is_alive
from simulators.models.power.supply import Supply, Switching

POSITION = {
    Switching.ON_NORMAL: 0, Switching.TO_EMERGENCY: 3, Switching.ON_EMERGENCY: 2, Switching.TO_NORMAL: 3,
    Switching.FAILED: 4,
}  # fmt: skip
"""`ats.position` as the profile derives it from the switching status."""

AUTO, TEST = 0, 2
OPEN, CLOSED = 1, 2
GENERATOR_ON, GENERATOR_OFF, GENERATOR_ALARM = 1, 2, 3
SWITCH2_FAILED = 2
ALARM_BITS = {
    "open1_fail": 0x01, "open2_fail": 0x02, "open3_fail": 0x04, "close1_fail": 0x08, "close2_fail": 0x10,
    "close3_fail": 0x20, "logic_disabled": 0x100, "external": 0x200, "cb1_trip": 0x400, "cb2_trip": 0x800,
    "generator": 0x1000,
}  # fmt: skip
"""The alarm word of the ABB ATS022, register 2007."""


class Ats(Model):
    """The controller of the switch that the site's Supply moves."""

    FAULTS = frozenset({"mains_loss", "ats_fail_to_transfer", "generator_fail", "mains_phase_loss"})
    ACTS = frozenset({"ats_test", "ats_auto"})

    def __init__(self, supply: Supply, *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.supply = supply

    def began(self, fault: str) -> None:  # noqa: ARG002 - the supply wants to know all of them
        """Hand the faults to the supply; its owner steps it."""
        self.supply.suffer(self, self.active)
        volts = self.param("mains_phase_loss", "volts", 55.0)
        self.supply.low = volts if self.on("mains_phase_loss") else None

    def ended(self, fault: str) -> None:
        """The utility, or an electrician, has put it right."""
        self.began(fault)

    def acted(self, act: str, params: Mapping[str, float]) -> None:  # noqa: ARG002 - no act here has any
        """The monthly exercise: the load goes to source 2, and back to automatic."""
        self.supply.testing = act == "ats_test"

    def values(self) -> dict[str, Value]:
        """The points of a transfer switch controller."""
        supply, engine, state = self.supply, self.supply.engine, self.supply.switching
        failed = state is Switching.FAILED
        word = ALARM_BITS["close2_fail"] if failed else 0
        word |= ALARM_BITS["generator"] if engine.failed else 0
        found: dict[str, Value] = {f"ats.alarm.{name}": bool(word & bit) for name, bit in ALARM_BITS.items()}
        on_normal = state in (Switching.ON_NORMAL, Switching.TO_EMERGENCY)
        found |= {
            "ats.line1_status": self._line1_status(),
            "ats.src1_ok": supply.source1_ok,
            "ats.line2_status": 0 if engine.ready else 2 if engine.volts > 50.0 else 1,
            "ats.src2_ok": engine.ready,
            "ats.switching": int(state),
            "ats.position": POSITION[state],
            "ats.fail_to_transfer": failed,
            "ats.mode": TEST if supply.testing else AUTO,
            "ats.breaker1": CLOSED if on_normal else OPEN,
            "ats.breaker2": CLOSED if supply.on_generator else OPEN,
            "ats.generator": GENERATOR_ALARM if engine.failed else GENERATOR_ON if engine.running else GENERATOR_OFF,
            "ats.last_alarm": SWITCH2_FAILED if failed else 0,
            "ats.alarm": word,
        }
        return found

    def _line1_status(self) -> int:
        """Source 1 as the controller names its state: ok, zero, phase missing, under."""
        volts = self.supply.normal.volts
        if self.supply.source1_ok:
            return 0
        if not is_alive(volts):
            return 1
        return 4 if min(volts) < 0.5 * NOMINAL else 2
