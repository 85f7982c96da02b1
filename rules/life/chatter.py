"""Chattering and fleeting alarms: what an alarm's own raises and clears say of it. Pure; instants are ms UTC.

Three or more cycles (raise, then clear) within a minute are chattering: no person can answer them, and they hide
everything else. An episode begins with the third cycle and ends when no cycle has come for a quarter of an hour. A
cycle that is over within ten seconds is fleeting; those are counted only.

What is remembered here belongs to the rule at its asset, not to one occurrence of its alarm: somebody who acknowledges
between two cycles makes each of them an alarm of its own, and it chatters all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

CYCLES = 3
"""So many cycles..."""
SPAN_MS = 60_000
"""...from the first raise to the last clear make chattering."""
CALM_MS = 15 * 60_000
"""An episode is over when so long no cycle has come."""
SHELVE_MS = 15 * 60_000
"""How long a chattering alarm is shelved by the system."""
FLEETING_MS = 10_000
"""A cycle shorter than this is fleeting."""
RETELL_MS = 5 * 60_000
"""How often people are told of a chattering alarm of life safety, which is never shelved."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How a rule behaves at an asset. `raised_at`: of the cycle that runs; `recent`: raises of the newest full cycles.

    `since`: when the newest episode began (None: there was none), `last_at`: when the newest cycle ended; the others
    count everything that was ever seen.
    """

    raised_at: int | None = None
    recent: tuple[int, ...] = ()
    since: int | None = None
    last_at: int = 0
    cycles: int = 0
    fleeting: int = 0
    episodes: int = 0

    @property
    def erupts(self) -> bool:
        """Whether the newest cycles were as quick as chattering is."""
        return len(self.recent) >= CYCLES

    def chattering_since(self, at: int) -> int | None:
        """When the episode began that goes on at `at`; None when all is calm."""
        return self.since if self.since is not None and at - self.last_at <= CALM_MS else None


def raised(habit: Habit, at: int) -> Habit:
    """A cycle begins."""
    return replace(habit, raised_at=at)


def cleared(habit: Habit, at: int) -> Habit:
    """A cycle ends; without a beginning it is none."""
    begun = habit.raised_at
    if begun is None:
        return habit
    recent = tuple(instant for instant in (*habit.recent, begun) if at - instant <= SPAN_MS)[-CYCLES:]
    since, episodes = habit.chattering_since(at), habit.episodes
    if since is None and len(recent) >= CYCLES:
        since, episodes = recent[0], episodes + 1
    fleeting = habit.fleeting + (at - begun < FLEETING_MS)
    return Habit(None, recent, since, at, habit.cycles + 1, fleeting, episodes)
