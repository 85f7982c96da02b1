"""Commander: takes a gateway's commands from the broker, one at a time for each device, and tells each step.

It keeps the promise that an override ends: what was held when the gateway stopped is put back when its time comes, at
once if that is past, and what a stop has interrupted is undone. What can't be put back is tried again after 5 s, 10,
20, ... 60 s, until it is back or a newer command on the point takes over.

A final step is told only when the book is on the disk, so that nobody hears of what a crash could undo.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine

from facility import wire
from facility.bus import Bus
from facility.clock import Clock
from facility.errors import BusError, DecodeError
from facility.readings import Value
from facility.wire import Command, CommandStep
from gateway.carrier import Carrier, RefusedError
from gateway.commands import FINAL, STANDING, Event, Life, Step, advance
from gateway.override_book import Override, OverrideBook
from gateway.targets import Targets, UnreachableError

log = logging.getLogger(__name__)

WAITING = 64
"""Commands that may wait or be under way; what comes on top of that is refused."""
UNTOLD = 10_000
"""Steps that wait for the broker; the oldest go first."""
INBOX = 1_000
FIRST_RETRY, LONGEST_RETRY = 5.0, 60.0
"""Seconds until an override that could not be put back is tried again."""
PROBLEM = 600.0
"""Seconds that a failed command stands in the gateway's status."""
AGAIN = 1.0
"""Seconds after the broker refused a step."""

BEFORE = frozenset({Step.RECEIVED, Step.CHECKING})
"""Nothing was written yet."""
COUNTED = {
    Step.REFUSED: "refused",
    Step.DONE: "done",
    Step.HELD: "done",
    Step.FAILED: "failed",
    Step.REVERTED: "reverted",
    Step.REVERT_FAILED: "revert_failed",
    Step.REPLACED: "replaced",
}


class Commander:
    """The commands of one gateway of a site."""

    def __init__(
        self, site: str, gateway: str, targets: Targets, *, bus: Bus, clock: Clock, book: OverrideBook | None = None
    ) -> None:
        self.book = book or OverrideBook()
        names = ("received", "again", "undecodable", "dropped", "untold", *COUNTED.values())
        self.counts = dict.fromkeys(names, 0)
        """received (again: the same one once more), what became of them; dropped: messages that the full inbox did not
        take; untold: steps that waited too long for the broker."""
        self._topics = wire.commands_topic(site, gateway), wire.results_topic(site, gateway)
        self._bus, self._clock, self._targets = bus, clock, targets
        self._carrier = Carrier(targets, self.book, clock, tell=self._tell, save=self._save)
        self._problems: dict[tuple[str, str], tuple[str, float]] = {}
        self._devices: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._saving = asyncio.Lock()
        self._steps: deque[CommandStep] = deque()
        self._told = asyncio.Event()
        self._waiting = 0
        self._is_new = True

    @property
    def problem(self) -> str:
        """The commands that failed lately, the newest first; empty when none did."""
        now = self._clock.monotonic()
        self._problems = {key: found for key, found in self._problems.items() if found[1] > now}
        return "; ".join(text for text, _ in reversed(self._problems.values()))

    @property
    def overrides(self) -> int:
        """How many values are to be put back."""
        return sum(entry.step in STANDING for entry in self.book)

    async def run(self) -> None:
        """Take commands until cancelled. What is under way then is undone by the next start."""
        async with asyncio.TaskGroup() as group:
            self._take_up()
            group.create_task(self._publish(), name="results")
            for entry in self.book:
                group.create_task(self._resume(entry), name=f"override {entry.command.id}")
            async with self._bus.subscribe(self._topics[0], limit=INBOX) as messages:
                async for message in messages:
                    self._take(message.payload, group.create_task)
                    self.counts["dropped"] = messages.dropped

    def _take(self, payload: bytes, start: Callable[[Coroutine[None, None, object]], object]) -> None:
        """A message on the topic of commands."""
        try:
            command = wire.decode(Command, payload)
        except DecodeError as error:
            self.counts["undecodable"] += 1
            log.warning("what came as a command is none: %s", error)
            return
        told = self.book.told(command.id)
        if told is not None:
            self.counts["again"] += 1
            self._queue(told)
            return
        self.counts["received"] += 1
        life = Life(command)
        self._tell(life)
        why = f"{WAITING} commands wait already" if self._waiting >= WAITING else self._refusal(command)
        if why:
            life.on(Event.REFUSE)
            self._tell(life, message=why)
            return
        self._waiting += 1
        start(self._save())  # it is known from now on, so that a stop can't leave it without an end
        start(self._carry_out(life))

    def _take_up(self) -> None:
        """Tell the end of what a stop has caught before it was written, and ends that may have been told to nobody."""
        self._waiting = 0
        for step, expires in self.book.steps():
            if step.step in BEFORE and not self.book.is_entered(step.id):
                end = advance(Step(step.step), Event.REFUSE)
                self.counts[COUNTED[end]] += 1
                message = "the gateway was stopped before anything was written"
                told = CommandStep(step.id, step.asset, step.point, end, self._clock.ms(), None, message, final=True)
                self.book.tell(told, expires)
                self._queue(told)
            elif step.final and self._is_new:
                self._queue(step)
        self._is_new = False

    def _refusal(self, command: Command) -> str:
        """Why not to let a command wait at all."""
        try:
            self._carrier.admit(command)
        except RefusedError as error:
            return str(error)
        return ""

    async def _carry_out(self, life: Life) -> None:
        try:
            async with self._lock(life.command):
                await self._carrier.carry_out(life)
        finally:
            self._waiting -= 1
        for entry in self.book:
            if entry.command.id == life.command.id:
                await self._put_back(entry)

    async def _resume(self, entry: Override) -> None:
        """What stood in the book at the start."""
        if entry.step == Step.WRITING:
            async with self._lock(entry.command):
                await self._carrier.recover(entry)
            await self._put_back(entry)
        else:
            await self._put_back(entry, retry=0.0)

    async def _put_back(self, entry: Override, retry: float = FIRST_RETRY) -> None:
        """Wait until an override is over, and put back what was before, however often that has to be tried."""
        while self.book.has(entry):
            if entry.step == Step.HELD:
                # by a clock that was set meanwhile it must not last longer than was asked for
                left = (entry.until - self._clock.ms()) / 1000
                await self._clock.sleep(min(left, entry.command.ttl))
            else:
                await self._clock.sleep(retry)
                retry = min(max(retry * 2, FIRST_RETRY), LONGEST_RETRY)
            async with self._lock(entry.command):
                if self.book.has(entry):
                    await self._carrier.revert(entry)

    def _lock(self, command: Command) -> asyncio.Lock:
        """The turn of a command's device."""
        try:
            return self._devices[self._targets.find(command.asset, command.point).device]
        except UnreachableError:
            return self._devices[""]

    def _tell(self, life: Life, value: Value = None, message: str = "", *, quiet: bool = False) -> None:
        """See carrier.Tell: note the step, and hand it to those who publish."""
        command, step = life.command, life.step
        self._note(command, step, message)
        if quiet:
            return
        if step in COUNTED:
            self.counts[COUNTED[step]] += 1
            who = command.by + f" and {command.second}" * bool(command.second)
            log.info("%s of %s by %s (%s): %s %s", command.point, command.asset, who, command.id, step, message)
        told = CommandStep(
            command.id, command.asset, command.point, step, self._clock.ms(), value, message, step in FINAL
        )
        self.book.tell(told, command.expires)
        self._queue(told)

    def _note(self, command: Command, step: Step, message: str) -> None:
        """Keep in mind which points could not be commanded lately."""
        key = command.asset, command.point
        if step in (Step.FAILED, Step.REVERT_FAILED):
            self._problems.pop(key, None)
            self._problems[key] = f"{command.asset} {command.point}: {message}", self._clock.monotonic() + PROBLEM
        elif step in (Step.DONE, Step.HELD, Step.REVERTED):
            self._problems.pop(key, None)

    def _queue(self, step: CommandStep) -> None:
        if len(self._steps) >= UNTOLD:
            self._steps.popleft()
            self.counts["untold"] += 1
        self._steps.append(step)
        self._told.set()

    async def _publish(self) -> None:
        """Publish the steps in their order; those that the broker is not there for wait."""
        while True:
            self._told.clear()
            while self._steps:
                step = self._steps[0]
                if step.final:
                    async with self._saving:
                        pass
                if await self._publish_one(step) and self._steps and self._steps[0] is step:
                    self._steps.popleft()
            await self._told.wait()

    async def _publish_one(self, step: CommandStep) -> bool:
        await self._bus.wait_connected()
        try:
            await self._bus.publish(self._topics[1], wire.encode(step))
        except BusError as error:
            log.info("a step of the command %s is not told yet: %s", step.id, error)
            await self._clock.sleep(AGAIN)
            return False
        return True

    async def _save(self) -> bool:
        """Bring the book to the disk; False when that refuses."""
        async with self._saving:
            data = self.book.dump(self._clock.ms())
            if self.book.path is None:
                return True
            return await asyncio.to_thread(self.book.write, data)
