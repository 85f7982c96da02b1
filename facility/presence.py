"""Whether a gateway is there: one rule for live values, screens, stream and rules. Pure; instants are ms UTC.

A gateway tells values by exception, so that a point may be silent for a whole heartbeat and be well. What it says
regularly is its status, every `STATUS` seconds, whatever its devices do. So a gateway is there while its last word is
not a farewell (its own, or its last will, which counts at once) and no older than three intervals of the status. When
it is not, every point that it serves is stale: live values say so, and to rules they are unknown. That holds for a
gateway that is frozen while its connection stands, for one whose last will the broker lost, and for a broken way.

A live batch is a word too, history is none: it may have waited anywhere. A retained status counts from the instant
that it names, for it may be as old as the outage.
"""

from __future__ import annotations

from facility.wire import Status

STATUS = 10.0
"""Seconds between statuses of a gateway."""
INTERVALS = 3
"""So many intervals of silence are believed to be chance."""
SILENT_MS = round(INTERVALS * STATUS * 1000)
"""A gateway that has said nothing for longer is not there."""
HEARTBEAT_MS = 300_000
"""A gateway repeats an unchanged value at least this often."""


class Presence:
    """One gateway as one listener hears it. Until the first word silence counts from `since`; None: it is not there."""

    def __init__(self, since: int | None = None) -> None:
        self.heard: int | None = None
        """When it spoke last."""
        self._since = since
        self._boot = ""
        self._left = False

    def hear(self, status: Status, now: int, *, retained: bool = False) -> bool:
        """Take a status; False when it is the last will of an earlier start, which says nothing of this one."""
        if not status.online and not retained and not self._left and self._boot not in ("", status.boot):
            return False
        said = min(now, status.at) if retained and status.at else now
        # after a reconnect the broker repeats what was heard already
        self.heard = said if self.heard is None else max(self.heard, said)
        self._boot, self._left = status.boot, not status.online
        return True

    def spoke(self, now: int) -> None:
        """Take a live batch."""
        self.heard, self._left = now, False

    def is_there(self, now: int) -> bool:
        """Whether what it told can still be believed."""
        if self.heard is None:
            return self._since is not None and now - self._since <= SILENT_MS
        self.heard = min(self.heard, now)  # a clock that was put back does not prolong anything
        return not self._left and now - self.heard <= SILENT_MS
