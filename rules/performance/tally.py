"""What the journal of a period says of the alarm system: counts, floods, habits, answers. Pure; instants are ms UTC.

Transitions are taken one by one in the order in which they were written, so that a year needs no more memory than its
raises (eight bytes each), its answers and its rules. An alarm counts as raised when people could see it: not while it
was shelved, suppressed by design or out of service. Chattering and fleeting count all the same, for those are habits of
the rule and its equipment, and a chattering alarm is shelved by the system itself.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from rules.life import chatter
from rules.notification import flood

TEN = 600_000
HOUR = 3_600_000
DAY = 86_400_000
MANY_IN_TEN = 10
"""More in ten minutes are more than one person can answer."""
MANY_IN_HOUR = 30
TOP = 10
LIMITS = flood.Limits()
"""The benchmark's: a flood starts above 10 in 10 minutes and ends below 5, whatever the site has set."""

MACHINES = frozenset({"engine", "system"})
"""Who acts without being anybody."""

Key = tuple[str, int, str]
"""(rule, index, asset): what an alarm is an occurrence of."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the journal. `quiet`: the alarm was suppressed in some way; `raised_at`: of its newest raise."""

    alarm: str
    key: Key
    severity: int
    at: int
    event: str
    actor: str
    quiet: bool
    raised_at: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How many alarms stand now: `active` of those that people see, `stale` of them, and what is kept quiet."""

    active: int = 0
    stale: int = 0
    shelved: int = 0
    by_design: int = 0
    out_of_service: int = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """How long acknowledgements took, ms; None without any."""

    count: int = 0
    p50: int | None = None
    p95: int | None = None


@dataclass(frozen=True, slots=True)
class Often:
    """An alarm that comes often: its raises and their share of all, its episodes of chattering, its fleeting cycles."""

    key: Key
    severity: int
    raises: int
    share: float
    chattering: int
    fleeting: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of the span [start, end). Shares are per cent, spans ms; means and shares are None of no span.

    `most_*`: the worst ten minutes, hour (counted from `start`), local day. `stale_most`: stale at once. `top`: the ten
    most frequent. `severities`: raises by severity. `people`: (answers, shelvings) by who did it.
    """

    start: int
    end: int
    raises: int = 0
    mean_ten: float | None = None
    most_ten: int = 0
    over_ten: float | None = None
    mean_hour: float | None = None
    most_hour: int = 0
    over_hour: float | None = None
    mean_day: float | None = None
    most_day: int = 0
    floods: int = 0
    flood_ms: int = 0
    stale_most: int = 0
    top: tuple[Often, ...] = ()
    chattering: tuple[Often, ...] = ()
    episodes: int = 0
    fleeting: int = 0
    severities: Mapping[int, int] = field(default_factory=dict)
    answers: Answers = Answers()
    people: Mapping[str, tuple[Answers, int]] = field(default_factory=dict)
    shelved: int = 0
    removed: int = 0

    @property
    def span(self) -> int:
        """How long it is, ms."""
        return max(0, self.end - self.start)

    @property
    def top_share(self) -> float | None:
        """The share of the ten most frequent alarms in all raises, per cent."""
        return sum(item.share for item in self.top) if self.raises else None

    @property
    def flood_share(self) -> float | None:
        """The share of the time in which a flood lasted, per cent."""
        return 100 * self.flood_ms / self.span if self.span else None

    def severity_share(self, *levels: int) -> float | None:
        """The share of these severities in all raises, per cent."""
        return 100 * sum(self.severities.get(level, 0) for level in levels) / self.raises if self.raises else None


class Tally:
    """`take` the transitions of [start, end), then ask for `measured`. `stale`: the alarms stale at `start`."""

    def __init__(self, start: int, end: int, zone: ZoneInfo, *, stale: frozenset[str] = frozenset()) -> None:
        self._start, self._end, self._zone = start, max(start, end), zone
        self._instants = array("q")
        self._raises: Counter[Key] = Counter()
        self._severities: Counter[int] = Counter()
        self._severity: dict[Key, int] = {}
        self._habits: dict[Key, chatter.Habit] = {}
        self._owed: dict[str, int] = {}
        self._answers: dict[str, array[int]] = defaultdict(lambda: array("q"))
        self._shelved: Counter[str] = Counter()
        self._removed = 0
        self._stale = set(stale)
        self._stale_most = len(stale)

    def take(self, what: Transition) -> None:
        """One more transition; those outside the span are left out."""
        if not self._start <= what.at < self._end:
            return
        if what.event in ("raise", "clear"):
            self._turn(what)
        elif what.event == "acknowledge":
            begun = self._owed.pop(what.alarm, what.raised_at)
            if begun is not None and begun <= what.at:
                self._answers[what.actor].append(what.at - begun)
        elif what.event == "shelve":
            self._shelved[what.actor] += 1
        elif what.event == "remove":
            self._removed += 1
        elif what.event == "stale":
            self._stale.add(what.alarm)
            self._stale_most = max(self._stale_most, len(self._stale))

    def _turn(self, what: Transition) -> None:
        self._stale.discard(what.alarm)
        habit = self._habits.get(what.key, chatter.Habit())
        if what.event == "clear":
            self._habits[what.key] = chatter.cleared(habit, what.at)
            return
        self._habits[what.key] = chatter.raised(habit, what.at)
        if what.quiet:
            return
        self._instants.append(what.at)
        self._raises[what.key] += 1
        self._severities[what.severity] += 1
        self._severity[what.key] = what.severity
        self._owed.setdefault(what.alarm, what.at)

    def measured(self) -> Measured:
        """The figures so far."""
        instants = sorted(self._instants)
        span, raises = self._end - self._start, len(instants)
        tens = Counter((at - self._start) // TEN for at in instants)
        hours = Counter((at - self._start) // HOUR for at in instants)
        days = _by_day(instants, self._zone)
        floods = floods_of(instants, self._end)
        often = [self._often(key) for key in self._raises | self._habits]
        top = sorted((item for item in often if item.raises), key=lambda item: (-item.raises, item.key))[:TOP]
        everybody = sorted(took for answers in self._answers.values() for took in answers)
        people = sorted((self._answers.keys() | self._shelved.keys()) - MACHINES)
        return Measured(
            self._start,
            self._end,
            raises,
            mean_ten=_per(raises, span, TEN),
            most_ten=max(tens.values(), default=0),
            over_ten=_share(sum(n > MANY_IN_TEN for n in tens.values()), span, TEN),
            mean_hour=_per(raises, span, HOUR),
            most_hour=max(hours.values(), default=0),
            over_hour=_share(sum(n > MANY_IN_HOUR for n in hours.values()), span, HOUR),
            mean_day=_per(raises, span, DAY),
            most_day=max(days.values(), default=0),
            floods=len(floods),
            flood_ms=sum(end - begun for begun, end in floods),
            stale_most=self._stale_most,
            top=tuple(top),
            chattering=tuple(
                sorted((item for item in often if item.chattering), key=lambda item: (-item.chattering, item.key))
            ),
            episodes=sum(item.chattering for item in often),
            fleeting=sum(item.fleeting for item in often),
            severities=dict(self._severities),
            answers=_answers(everybody),
            people={who: (_answers(sorted(self._answers.get(who, ()))), self._shelved[who]) for who in people},
            shelved=self._shelved.total(),
            removed=self._removed,
        )

    def _often(self, key: Key) -> Often:
        habit, raises = self._habits.get(key, chatter.Habit()), self._raises[key]
        share = 100 * raises / len(self._instants) if self._instants else 0.0
        return Often(key, self._severity.get(key, 0), raises, share, habit.episodes, habit.fleeting)


def floods_of(instants: list[int], end: int, limits: flood.Limits = LIMITS) -> list[tuple[int, int]]:
    """(begun, over) of every flood among these instants, which are in order; one that lasts is over at `end`."""
    state, found = flood.Flood(), []
    for at, following in pairwise([*instants, end]):
        state = flood.raised(state, at, limits)
        if state.began is not None and (over := _over(state, limits)) <= following:
            found.append((state.began, min(over, end)))
            state = replace(state, began=None)
    if state.began is not None:
        found.append((state.began, end))
    return found


def _over(state: flood.Flood, limits: flood.Limits) -> int:
    """When a flood ends if nothing more comes: as the last but `end - 1` of its instants leaves the window."""
    return state.newest[-limits.end] + limits.window


def percentile(ordered: list[int], per_cent: int) -> int | None:
    """The nearest rank: the smallest value that at least so many per cent do not exceed; None of nothing."""
    return ordered[-(-per_cent * len(ordered) // 100) - 1] if ordered else None


def _answers(ordered: list[int]) -> Answers:
    return Answers(len(ordered), percentile(ordered, 50), percentile(ordered, 95))


def _per(number: int, span: int, unit: int) -> float | None:
    return number * unit / span if span else None


def _share(number: int, span: int, unit: int) -> float | None:
    """Per cent of the units of a span, the last one of which may be cut short."""
    return 100 * number / -(-span // unit) if span else None


def _by_day(instants: list[int], zone: ZoneInfo) -> Counter[date]:
    """How many in each local day."""
    return Counter(datetime.fromtimestamp(at / 1000, zone).date() for at in instants)
