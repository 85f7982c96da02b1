"""What every Shelly of the second generation and later says alike: online, status, deltas, answers to GetStatus."""

from __future__ import annotations

from collections.abc import Mapping

from facility.bus import Message
from simulators.devices.native import message_of, object_of

Status = Mapping[str, object]
"""The status of one component, as the device shows it."""


def online(prefix: str, up: bool) -> Message:
    """The retained word on whether the device is there; `false` is its last will."""
    return Message(f"{prefix}/online", b"true" if up else b"false", retain=True)


def whole(prefix: str, component: str, status: Status) -> Message:
    """The whole status of one component, such as `switch:0`."""
    return message_of(f"{prefix}/status/{component}", {"id": 0, **status})


def delta(prefix: str, component: str, changed: Status, seconds: float) -> Message:
    """NotifyStatus with what has changed since the last one."""
    params = {"ts": round(seconds, 2), component: {"id": 0, **changed}}
    frame = {"src": prefix, "dst": f"{prefix}/events", "method": "NotifyStatus", "params": params}
    return message_of(f"{prefix}/events/rpc", frame)


def full(prefix: str, components: Mapping[str, Status], seconds: float) -> Message:
    """NotifyFullStatus, as a device on a battery says it whenever it wakes."""
    params = {"ts": round(seconds, 2), **{name: {"id": 0, **status} for name, status in components.items()}}
    frame = {"src": prefix, "dst": f"{prefix}/events", "method": "NotifyFullStatus", "params": params}
    return message_of(f"{prefix}/events/rpc", frame)


def answer(prefix: str, request: Message, known: Mapping[str, Status]) -> list[Message]:
    """The answer to `<component>.GetStatus`; any other method is refused, as nothing here may be commanded.

    `known`: method -> status. What is no request, or does not say whom to answer, is not answered.
    """
    asked = object_of(request.payload)
    source, method = asked.get("src"), asked.get("method")
    if not isinstance(source, str) or not source:
        return []
    frame: dict[str, object] = {"id": asked.get("id"), "src": prefix, "dst": source}
    status = known.get(method) if isinstance(method, str) else None
    if status is None:
        frame["error"] = {"code": 404, "message": f"No handler for {method}"}
    else:
        frame["result"] = {"id": 0, **status}
    return [message_of(f"{source}/rpc", frame)]
