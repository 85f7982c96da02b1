"""The transfer switch as its controller shows it, and the failures of the supply behind it; pure."""

from __future__ import annotations

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.supply import Supply, Switching

POSITION = {
    Switching.ON_NORMAL: 0, Switching.TO_EMERGENCY: 3, Switching.ON_EMERGENCY: 2, Switching.TO_NORMAL: 3,
    Switching.FAILED: 4,
}  # fmt: skip
"""`ats.position` as the profile derives it from the switching status."""

OPEN, CLOSED = 1, 2
CLOSE2_FAILED = 0x10


class Ats(Model):
    """The controller of the switch that the site's Supply moves."""

    FAULTS = frozenset({"mains_loss", "ats_fail_to_transfer", "generator_fail", "phase_loss"})

    def __init__(self, supply: Supply, *, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self.supply = supply

    def advance(self, dt: float) -> None:  # noqa: ARG002 - what is wrong does not depend on the step
        """Hand the faults to the supply; its owner steps it."""
        losses = ("mains_loss", "ats_fail_to_transfer", "generator_fail")
        self.supply.lost = any(self.on(fault) for fault in losses)
        self.supply.stuck = self.on("ats_fail_to_transfer")
        self.supply.no_start = self.on("generator_fail")
        low = self.param("phase_loss", "volts", 55.0) / 228.0
        self.supply.level = (1.0, low, 1.0) if self.on("phase_loss") else (1.0, 1.0, 1.0)

    def values(self) -> dict[str, Value]:
        """The points of a transfer switch controller and of the generator behind it."""
        return {**self._switch_values(), **self._alarm_values(), **self._generator_values()}

    def _switch_values(self) -> dict[str, Value]:
        supply = self.supply
        state = supply.switching
        on_normal = state in (Switching.ON_NORMAL, Switching.TO_EMERGENCY)
        return {
            "ats.line1_status": _line_status(supply),
            "ats.src1_ok": supply.mains_ok,
            "ats.line2_status": 0 if supply.generator_ok else 1 if supply.generator < 50.0 else 2,
            "ats.src2_ok": supply.generator_ok,
            "ats.switching": int(state),
            "ats.position": POSITION[state],
            "ats.fail_to_transfer": state is Switching.FAILED,
            "ats.mode": 0,
            "ats.breaker1": CLOSED if on_normal else OPEN,
            "ats.breaker2": CLOSED if supply.on_generator else OPEN,
            "ats.generator": 3 if supply.no_start and supply.cranking else 1 if supply.generator_runs else 2,
            "ats.last_alarm": 2 if state is Switching.FAILED else 0,
        }

    def _alarm_values(self) -> dict[str, Value]:
        word = CLOSE2_FAILED if self.supply.switching is Switching.FAILED else 0
        word |= 0x1000 if self.supply.no_start and self.supply.cranking else 0
        names = {
            "open1_fail": 0x01, "open2_fail": 0x02, "open3_fail": 0x04, "close1_fail": 0x08, "close2_fail": 0x10,
            "close3_fail": 0x20, "logic_disabled": 0x100, "external": 0x200, "cb1_trip": 0x400, "cb2_trip": 0x800,
            "generator": 0x1000,
        }  # fmt: skip
        found: dict[str, Value] = {f"ats.alarm.{name}": bool(word & bit) for name, bit in names.items()}
        found["ats.alarm"] = word
        return found

    def _generator_values(self) -> dict[str, Value]:
        supply = self.supply
        runs, failed = supply.generator_runs, supply.no_start and supply.cranking
        return {
            "gen.run": runs,
            "gen.ready": not failed,
            "gen.fault": failed,
            "gen.start_cmd": supply.cranking or runs,
            "gen.fuel": 86.0 - supply.generator_seconds / 600,
            "gen.battery_v": 19.5 if failed else 27.6 if runs else 26.2,
            "gen.rpm": 1500.0 * supply.generator / 230.0,
            "gen.oil_p": 420.0 if runs else 0.0,
            "gen.coolant_t": 78.0 if runs else 42.0,
            "gen.run_hours": 312.0 + supply.generator_seconds / 3600,
            "gen.starts": supply.generator_starts,
        }


def _line_status(supply: Supply) -> int:
    """The mains as the controller names their state: ok, zero, phase missing, under."""
    if supply.mains_ok:
        return 0
    if max(supply.mains) < 50.0:
        return 1
    return 4 if min(supply.mains) < 110.0 else 2
