"""Which points of a site can be commanded, by which gateway and within what: what gateway, API and screens agree on.

Pure. A point can be commanded where a device of its asset has a register with `writing` for it, and never on an asset
whose class is life safety, whatever a profile says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from facility.assets import Asset, Device
from facility.classfile import AssetClass
from facility.points import Kind, Point, Profile, Register, State, Writing

MAX_NUMBER = 1e300
MAX_TTL_S = 31_536_000.0
"""No override stands longer than a year, where its profile says nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """A point that can be commanded: through which device of which gateway, and how.

    The points that `writing` names are the asset's own (a device may rename those of its profile). `choices`: the
    states that may be written, for a point that has states.
    """

    asset: str
    point: Point
    device: str
    gateway: str
    writing: Writing
    choices: tuple[State, ...] = ()


def targets(
    devices: Iterable[Device],
    assets: Mapping[str, Asset],
    classes: Mapping[str, AssetClass],
    profiles: Mapping[str, Profile],
) -> dict[str, dict[str, Target]]:
    """Asset -> point key -> how it is commanded. Where two devices could, the one that stands first in the site."""
    found: dict[str, dict[str, Target]] = {}
    for device in devices:
        asset_class = classes[assets[device.asset].asset_class]
        if asset_class.life_safety:
            continue
        for register in profiles[device.profile].registers:
            target = _target(device, register, asset_class)
            if target is not None:
                found.setdefault(device.asset, {}).setdefault(target.point.key, target)
    return found


def wanted(target: Target, value: object) -> float | int | bool:
    """The value to write, as the point's kind has it: a state may be given by its code or its number.

    ValueError says in words why a value may not be written.
    """
    if isinstance(value, str):
        return _by_code(target, value)
    if not isinstance(value, (bool, int, float)) or not abs(value) <= MAX_NUMBER:  # NaN is not either
        raise ValueError(f"{target.point.key} can't be set to that: it is no number that a device could have")
    if target.point.kind is Kind.DISCRETE:
        return _switch(target, value)
    if isinstance(value, bool):
        raise ValueError(f"{target.point.key} is {target.point.kind}: it takes a number, not {value}")
    if target.point.kind is Kind.ENUM:
        return _state(target, value)
    _check_limits(target, value)
    return float(value)


def seconds(target: Target, ttl: float | None) -> float:
    """How long the value stands before it reverts; 0 for ever. None takes the longest that is allowed.

    ValueError for one that is longer, or that never ends where it has to.
    """
    longest = target.writing.longest
    if ttl is None:
        return longest
    if not math.isfinite(ttl) or ttl < 0:
        raise ValueError("ttl is a number of seconds, 0 for ever")
    if longest and not 0 < ttl <= longest:
        raise ValueError(f"{target.point.key} may be overridden for at most {longest:g} s, and has to end")
    if ttl > MAX_TTL_S:
        raise ValueError(f"ttl is at most {MAX_TTL_S:g} s")
    return float(ttl)


def _target(device: Device, register: Register, asset_class: AssetClass) -> Target | None:
    if register.writing is None or (device.points and register.point not in device.points):
        return None
    point = asset_class.point(device.rename.get(register.point, register.point))
    if point is None:
        return None
    writing = _renamed(register.writing, device.rename)
    return Target(device.asset, point, device.id, device.gateway, writing, _choices(point, register, writing))


def _renamed(writing: Writing, rename: Mapping[str, str]) -> Writing:
    requires = tuple(replace(item, point=rename.get(item.point, item.point)) for item in writing.requires)
    feedback = writing.feedback
    if feedback is not None:
        feedback = replace(feedback, point=rename.get(feedback.point, feedback.point))
    return replace(writing, requires=requires, feedback=feedback)


def _choices(point: Point, register: Register, writing: Writing) -> tuple[State, ...]:
    """The states that the device knows and the profile allows."""
    known = set(point.states) if register.values is None else set(register.values.values())
    return tuple(
        state for state in point.states.values() if state.number in known and _is_within(writing, state.number)
    )


def _by_code(target: Target, code: str) -> int | bool:
    state = next((state for state in target.choices if state.code == code), None)
    if state is None:
        raise ValueError(f"{target.point.key}: {code!r} is none of {_known(target)}")
    return bool(state.number) if target.point.kind is Kind.DISCRETE else state.number


def _switch(target: Target, value: float | bool) -> bool:
    if value not in (0, 1):
        raise ValueError(f"{target.point.key} is on or off: true or false, not {value:g}")
    listed = {state.number for state in target.choices} if target.point.states else {int(value)}
    if int(value) not in listed or not _is_within(target.writing, value):
        raise ValueError(f"{target.point.key}: {bool(value)} may not be written")
    return bool(value)


def _state(target: Target, value: float) -> int:
    if value not in {state.number for state in target.choices}:
        raise ValueError(f"{target.point.key}: {value:g} is none of {_known(target)}")
    return int(value)


def _check_limits(target: Target, value: float) -> None:
    writing = target.writing
    if not _is_within(writing, value):
        low = "-∞" if writing.low is None else f"{writing.low:g}"
        high = "∞" if writing.high is None else f"{writing.high:g}"
        raise ValueError(f"{target.point.key}: {value:g} is outside {low} to {high} {target.point.unit}".rstrip())


def _is_within(writing: Writing, value: float) -> bool:
    return (writing.low is None or value >= writing.low) and (writing.high is None or value <= writing.high)


def _known(target: Target) -> str:
    return ", ".join(f"{state.code} ({state.number})" for state in target.choices) or "nothing"
