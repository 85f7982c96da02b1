"""Random lives of one alarm in the records, against a plain model that knows nothing of tables, rows or SQL."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from facility.errors import TransitionError
from rules.life.alarm import PROCESS, SUPPRESSION, Event, State, Suppression
from rules.life.chatter import CALM_MS, SHELVE_MS, Habit
from rules.life.rows import AlarmRow, RemovalRow
from rules.records.judging import judge
from rules.records.transitions import Act, Changes, Key, announce, move
from tests.rules.builders import a_judgement, a_routing, a_rule

KEY: Key = ("pump.dry", 0, "P-01")
MINUTE = 60_000


@dataclass
class Model:
    """What a careful person with paper would know: the condition, the debt, who keeps it quiet."""

    active: bool = False
    owed: bool = False
    held: bool = False
    shelved_until: int | None = None
    logic: bool = False
    out: bool = False
    raises: list[int] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """As the standard's figure, but with what lies underneath a suppression kept."""
        if self.out:
            return "out_of_service"
        if self.shelved_until is not None:
            return "shelved"
        if self.logic:
            return "by_design"
        return self.state

    @property
    def state(self) -> str:
        """The process state."""
        if self.active:
            return "unacknowledged" if self.owed else "acknowledged"
        if self.held:
            return "latched_unacknowledged" if self.owed else "latched_acknowledged"
        return "returned" if self.owed else "normal"


class Life(RuleBasedStateMachine):
    """One rule at one asset; rows go through `kept` as the database keeps them, so that a restart loses the rest."""

    latch = False

    def __init__(self) -> None:
        super().__init__()
        self.rule = a_rule(latch=self.latch)
        self.at = 1_000_000
        self.row: AlarmRow | None = None
        self.habit = Habit()
        self.removals: dict[str, RemovalRow] = {}
        self.model = Model()
        self.messages: list[str] = []
        self.number = 0

    def changes(self) -> Changes:
        """What a new transaction begins with: the records, nothing else."""

        def new_id(prefix: str, _at: int) -> str:
            self.number += 1
            return f"{prefix}{self.number}"

        return Changes(a_routing(), self.at, new_id, habits={KEY: self.habit}, removals=self.removals)

    def keep(self, changes: Changes) -> None:
        """The records after the transaction."""
        for row in (*changes.opened.values(), *changes.moved.values()):
            self.row = row if row.live else None
        self.habit = changes.behaved.get(KEY, self.habit)
        self.messages += [item["payload"] for item in changes.outbox if item["kind"] == "message"]

    def judged(self, *events: str) -> None:
        """What the engine says."""
        changes, live = self.changes(), {KEY: self.row} if self.row else {}
        for event in events:
            judge(changes, live, a_judgement(event, rule=self.rule, at=self.at))  # type: ignore[arg-type]
        self.keep(changes)

    def act(self, event: Event, **more: object) -> bool:
        """What a person does; False when it is refused. Nothing can be done to an alarm that is over."""
        if self.row is None:
            return False
        changes = self.changes()
        try:
            move(changes, self.row, event, Act(at=self.at, actor="wang", **more))  # type: ignore[arg-type]
        except TransitionError:
            return False
        self.keep(changes)
        return True

    @rule(pause=st.integers(1, 30_000))
    def wait(self, pause: int) -> None:
        self.at += pause

    @precondition(lambda self: not self.model.active)
    @rule(pause=st.integers(1, 20_000))
    def raised(self, pause: int) -> None:
        self.at += pause
        fresh = self.row is None
        self.judged(*(["suppress"] if self.model.logic and fresh else []), "raise")
        self.model.active, self.model.owed, self.model.held = True, True, False
        self.model.out = self.model.out or bool(fresh and self.removals)
        self.model.raises.append(self.at)

    @precondition(lambda self: self.model.active)
    @rule(pause=st.integers(1, 20_000))
    def cleared(self, pause: int) -> None:
        self.at += pause
        model = self.model
        self.judged("clear")
        model.active, model.held = False, self.latch
        quick = [at for at in model.raises if self.at - at <= MINUTE]
        if len(quick) >= 3 and not (model.out or model.logic or model.shelved_until is not None):
            model.shelved_until = self.at + SHELVE_MS

    @precondition(lambda self: not self.model.logic)
    @rule()
    def logic_begins(self) -> None:
        self.model.logic = True
        if self.row is not None and self.model.active:
            self.judged("suppress")
        elif self.row is not None:
            self.model.logic = False  # the engine speaks of it only while there is something to keep quiet

    @precondition(lambda self: self.model.logic)
    @rule()
    def logic_ends(self) -> None:
        self.model.logic = False
        self.judged("release")

    @rule()
    def acknowledged(self) -> None:
        done = self.act(Event.ACKNOWLEDGE)
        assert done == self.model.owed
        self.model.owed = False

    @rule()
    def reset(self) -> None:
        done = self.act(Event.RESET)
        assert done == (self.model.held and not self.model.owed and not self.model.active)
        self.model.held = self.model.held and not done

    @rule(minutes=st.integers(1, 480))
    def shelved(self, minutes: int) -> None:
        model = self.model
        free = self.row is not None and not model.out and (model.shelved_until is not None or not model.logic)
        assert self.act(Event.SHELVE, until=self.at + minutes * MINUTE) == free
        if free:
            model.shelved_until = self.at + minutes * MINUTE

    @rule()
    def unshelved(self) -> None:
        done = self.act(Event.UNSHELVE)
        assert done == (self.model.shelved_until is not None and not self.model.out)
        if done:
            self.model.shelved_until = None

    @rule()
    def removed(self) -> None:
        possible = self.row is not None and not self.model.out
        done = self.act(Event.REMOVE, removal="O1")
        assert done == possible
        if done:
            self.model.out, self.model.shelved_until = True, None

    @rule()
    def returned(self) -> None:
        done = self.act(Event.RETURN)
        assert done == self.model.out
        self.model.out = False

    @rule()
    def calm(self) -> None:
        self.at += CALM_MS + MINUTE

    @rule()
    def told_late(self) -> None:
        """Housekeeping: what stands untold is told."""
        if self.row is None:
            return
        changes = self.changes()
        announce(changes, self.row)
        self.keep(changes)

    @invariant()
    def agrees(self) -> None:
        row, model = self.row, self.model
        if row is None:
            assert (model.active, model.owed, model.held, model.out, model.shelved_until) == (
                False, False, False, False, None,
            )  # fmt: skip
            return
        assert (row.shown, row.state.value) == (model.shown, model.state)
        assert row.alarm.is_owed == model.owed  # whatever keeps it quiet
        assert row.inhibited == model.logic
        assert row.shelved_until == model.shelved_until

    @invariant()
    def names_its_state(self) -> None:
        if self.row is not None:
            assert self.row.state in {state for state, _ in PROCESS} | {State.NORMAL}
            assert self.row.suppression in {suppression for suppression, _ in SUPPRESSION}

    @invariant()
    def quiet_is_quiet(self) -> None:
        """Whoever stands unsuppressed has been told, or is about to be; whoever is suppressed untold stays untold."""
        row = self.row
        if row is None or row.suppression is not Suppression.NONE or row.chattering_since is not None:
            return
        if row.state is State.UNACKNOWLEDGED:
            assert row.told
            assert self.messages


class LatchedLife(Life):
    """The same for a rule that latches."""

    latch = True


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
LatchedLife.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
TestLatchedLife = LatchedLife.TestCase
