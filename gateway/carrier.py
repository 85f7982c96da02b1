"""Carrier: carries one command out on its device, step by step, and puts back what was changed.

What is decided here, and why:

* everything is read from the device for the occasion, never taken from the last poll;
* the value from before is known, and on the disk, before anything is written;
* a command whose check fails is taken back: what did not work now may work at a moment when nobody expects it (a pump
  that starts when its fuse is replaced). Only where the device still shows the value from before, or refused to take
  the new one, there is nothing to take back;
* putting back is checked in the same way, but is not held up by the conditions for writing: they guard a change, and
  this ends one;
* what could not be put back stays in the book, to be tried again: without a request while the device is known to be
  down, and with little patience for its feedback, so that it keeps neither the line nor the device from others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from facility.clock import Clock
from facility.errors import DeviceError
from facility.points import Feedback, Requirement
from facility.readings import Quality, Value
from facility.wire import Command
from gateway.codec import decode
from gateway.commands import LONGEST, Event, Life, Step, refusal
from gateway.encoding import Encoded, encode, masks
from gateway.modbus import REFUSALS
from gateway.override_book import Override, OverrideBook
from gateway.targets import Target, Targets, UnreachableError

PACE = 0.25
"""Seconds between two looks at the same point."""
BACK = 2.0
"""Seconds in which a device has to show what was written to it."""
PATIENCE = 5.0
"""Seconds in which a feedback point has to follow when something is put back once more."""
UNTOUCHED = frozenset({1, 2, 3, 6})
"""Exception codes by which a device says that it has not done what it was asked."""

Ask = Callable[[], Awaitable[tuple[Value, Quality]]]


class RefusedError(Exception):
    """A command must not be carried out; says why."""


class Tell(Protocol):
    """Tells that a command has come to its step. `quiet`: it was told before."""

    def __call__(self, life: Life, value: Value = None, message: str = "", *, quiet: bool = False) -> None:
        """Never waits."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a point came to show: whether it is what was wanted, its last good value, and that in words."""

    met: bool
    value: Value
    words: str


class Carrier:
    """`save` brings the book to the disk. The caller sees to it that a device has one command at a time."""

    def __init__(
        self, targets: Targets, book: OverrideBook, clock: Clock, *, tell: Tell, save: Callable[[], Awaitable[bool]]
    ) -> None:
        self._targets, self._book, self._clock = targets, book, clock
        self._tell, self._save = tell, save

    def admit(self, command: Command) -> Target:
        """What a command is for; RefusedError when it must not be carried out now."""
        try:
            target = self._targets.find(command.asset, command.point)
        except UnreachableError as error:
            raise RefusedError(str(error)) from error
        asset_class = self._targets.asset_class(target)
        why = refusal(command, target.register, target.point, asset_class, self._clock.ms())
        if why or target.down:
            raise RefusedError(why or target.down)
        return target

    async def carry_out(self, life: Life) -> None:
        """From `received` to one of the ends."""
        self._on(life, Event.ACCEPT)
        try:
            target = self.admit(life.command)
            await self._check(target)
            entry = await self._enter(life.command, target)
        except (RefusedError, UnreachableError) as error:
            self._on(life, Event.REFUSE, message=str(error))
        except DeviceError as error:
            self._on(life, Event.FAIL, message=f"nothing was written: {_plain(error)}")
        else:
            await self._change(life, target, entry)

    async def recover(self, entry: Override) -> None:
        """A command that a stop of the gateway has interrupted: nobody knows how far it came, so it is undone."""
        life = Life(entry.command, Step(entry.step))
        await self._undo(life, entry, "the gateway was stopped while it was carried out")

    async def revert(self, entry: Override) -> None:
        """An override is over, or could not be put back before."""
        life, again = Life(entry.command, Step(entry.step)), entry.step == Step.REVERT_FAILED
        self._on(life, Event.EXPIRE, quiet=again)
        problem = await self._put_back(entry, patience=PATIENCE if again else LONGEST)
        if problem:
            entry.step, entry.until = Step.REVERT_FAILED, self._clock.ms()
            message = f"the value from before ({_shown(entry.was)}) is not back: {problem}"
            self._on(life, Event.LOSE, message=message, quiet=again)
        else:
            self._book.drop(entry)
            self._on(life, Event.RESTORE, entry.was)
        await self._save()

    def _on(self, life: Life, event: Event, value: Value = None, message: str = "", *, quiet: bool = False) -> None:
        life.on(event)
        self._tell(life, value, message, quiet=quiet)

    async def _check(self, target: Target) -> None:
        """RefusedError when a condition does not hold now, or the feedback could not be seen."""
        writing = target.register.writing
        if writing is None:
            return
        if writing.feedback:
            self._targets.beside(target, writing.feedback.point)
        for item in writing.requires:
            other = self._targets.beside(target, item.point)
            value, quality = await other.value()
            if not item.holds(value if quality.is_good else None, other.point.states):
                shown = _named(other, value) if quality.is_good else f"not known ({quality})"
                raise RefusedError(f"{other.register.point} is {shown}, but has to be {_wanted(item)}")

    async def _enter(self, command: Command, target: Target) -> Override:
        """Enter a command in the book with the value from before. RefusedError when that can't be kept."""
        place = target.register.written()
        words: tuple[int, ...] = ()
        try:
            words = await target.words(place)
        except DeviceError as error:
            if error.code not in REFUSALS or place == target.register:
                raise
            words = await self._elsewhere(command, target)
        was = decode(place, words, target.point)[0] if words else None
        until = self._clock.ms() + round(command.ttl * 1000)
        entry = Override(command, Step.WRITING, place.table, place.address, list(words), was, until)
        self._book.put(entry)
        if not await self._save() and command.ttl:
            self._book.drop(entry)
            raise RefusedError(f"an override that can't be remembered is none: {self._book.problem}")
        return entry

    async def _elsewhere(self, command: Command, target: Target) -> tuple[int, ...]:
        """The words from before of a place that can't be read, by the point itself; empty when that tells nothing."""
        place = target.register.written()
        value, quality = await target.value()
        try:
            before = encode(place, target.point, value if quality.is_good else None)
        except ValueError as error:
            if command.ttl:
                raise RefusedError(f"what would be put back is not known: {error}") from error
            before = None
        if encode(place, target.point, command.value).is_shared:
            raise RefusedError("its register holds other bits too and can't be read")
        return before.words if before else ()

    async def _change(self, life: Life, target: Target, entry: Override) -> None:
        """Write and see what comes of it."""
        encoded = encode(target.register.written(), target.point, life.command.value)
        self._on(life, Event.MEET, encoded.value)
        try:
            await target.write(encoded.over(entry.words) if encoded.is_shared else encoded.words)
        except DeviceError as error:
            if error.code in UNTOUCHED:
                await self._fail(life, entry, f"the device refuses it: {_plain(error)}")
            else:
                await self._undo(life, entry, _plain(error))
            return
        self._on(life, Event.WRITE, encoded.value)
        if await self._is_shown(life, target, entry, encoded) and await self._is_followed(life, target, entry, encoded):
            await self._settle(life, entry, encoded)

    async def _is_shown(self, life: Life, target: Target, entry: Override, encoded: Encoded) -> bool:
        """The read back."""
        seen = await self._comes(target.written, encoded.value, within=BACK)
        if seen.met:
            return True
        why = f"read back: {seen.words} instead of {_shown(encoded.value)}"
        if entry.words and seen.value is not None and seen.value == entry.was:
            await self._fail(life, entry, f"{why}, as before: the device ignores it")
        else:
            await self._undo(life, entry, why)
        return False

    async def _is_followed(self, life: Life, target: Target, entry: Override, encoded: Encoded) -> bool:
        """The feedback, where there is one."""
        feedback = target.register.writing.feedback if target.register.writing else None
        if feedback is None:
            return True
        self._on(life, Event.WATCH, encoded.value)
        seen = await self._follows(target, feedback, encoded.value)
        if not seen.met:
            why = f"{feedback.point} shows {seen.words} after {feedback.within:g} s"
            await self._undo(life, entry, f"{why} instead of {_shown(encoded.value)}")
        return seen.met

    async def _follows(self, target: Target, feedback: Feedback, wanted: Value) -> _Seen:
        other = self._targets.beside(target, feedback.point)
        return await self._comes(other.value, wanted, within=feedback.within, margin=feedback.margin)

    async def _settle(self, life: Life, entry: Override, encoded: Encoded) -> None:
        """It has come about: it stands, or is put back later. Then an older override of the point is ours to end."""
        self._take_over(entry)
        if life.command.ttl:
            entry.step = Step.HELD
            entry.until = self._clock.ms() + round(life.command.ttl * 1000)
            self._on(life, Event.HOLD, encoded.value, f"for {life.command.ttl:g} s, then {_shown(entry.was)} again")
        else:
            self._book.drop(entry)
            self._on(life, Event.FINISH, encoded.value)
        await self._save()

    def _take_over(self, entry: Override) -> None:
        """Of two overrides of a point the newer one stands, with the value from before the older one."""
        older = self._book.standing(*entry.key, without=entry.command.id)
        if older is None:
            return
        if (older.table, older.address) == (entry.table, entry.address) and older.words:
            entry.words, entry.was = older.words, older.was
        self._book.drop(older)
        self._on(Life(older.command, Step(older.step)), Event.REPLACE, message=f"by the command {entry.command.id}")

    async def _fail(self, life: Life, entry: Override, why: str) -> None:
        self._book.drop(entry)
        self._on(life, Event.FAIL, message=why)
        await self._save()

    async def _undo(self, life: Life, entry: Override, why: str) -> None:
        if not entry.words:
            await self._fail(life, entry, f"{why}; what it was before is not known, so it is left as it is")
            return
        self._on(life, Event.UNDO, entry.was, why)
        problem, was = await self._put_back(entry), _shown(entry.was)
        if not problem:
            self._book.drop(entry)
            self._on(life, Event.RESTORE, entry.was, f"{why}; the value from before ({was}) is back")
        else:
            self._take_over(entry)
            entry.step, entry.until = Step.REVERT_FAILED, self._clock.ms()
            self._on(life, Event.LOSE, message=f"{why}; the value from before ({was}) is not back: {problem}")
        await self._save()

    async def _put_back(self, entry: Override, patience: float = LONGEST) -> str:
        """Write the value from before and check it; what went wrong, empty when nothing did."""
        try:
            target = self._targets.find(*entry.key)
            if target.down:
                return target.down
            place = target.register.written()
            if (place.table, place.address, place.words) != (entry.table, entry.address, len(entry.words)):
                return f"the profile {target.unit.profile.id} writes it to another place now"
            before = Encoded(entry.was, _own(entry.words, masks(place)), masks(place))
            await target.write(before.over(await target.words(place)) if before.is_shared else before.words)
            if entry.was is None:
                return ""
            seen = await self._comes(target.written, entry.was, within=BACK)
            if not seen.met:
                return f"read back: {seen.words}"
            feedback = target.register.writing.feedback if target.register.writing else None
            if feedback:
                feedback = replace(feedback, within=min(feedback.within, patience))
                seen = await self._follows(target, feedback, entry.was)
                return "" if seen.met else f"{feedback.point} shows {seen.words} after {feedback.within:g} s"
        except UnreachableError as error:
            return str(error)
        except DeviceError as error:
            return _plain(error)
        return ""

    async def _comes(self, ask: Ask, wanted: Value, *, within: float, margin: float = 0.0) -> _Seen:
        """Look until a point shows what is wanted, at most so long. A look that fails is followed by another one."""
        end = self._clock.monotonic() + within
        while True:
            try:
                value, quality = await ask()
            except DeviceError as error:
                seen = _Seen(met=False, value=None, words=f"nothing ({_plain(error)})")
            else:
                words = _shown(value) if quality.is_good else f"a bad value ({quality})"
                seen = _Seen(met=_is_near(value, wanted, margin), value=value, words=words)
            left = end - self._clock.monotonic()
            if seen.met or left <= 0:
                return seen
            await self._clock.sleep(min(PACE, left))


def _is_near(value: Value, wanted: Value, margin: float) -> bool:
    if value is None or wanted is None or isinstance(value, str) or isinstance(wanted, str):
        return value is not None and value == wanted
    return value == wanted or abs(value - wanted) <= margin + 1e-9 * abs(wanted)


def _own(words: list[int], mask: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(word & bits for word, bits in zip(words, mask, strict=True))


def _plain(error: DeviceError) -> str:
    return str(error).partition(": ")[2]


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None else f"{value:g}" if isinstance(value, int | float) else value


def _named(target: Target, value: Value) -> str:
    state = target.point.states.get(int(value)) if isinstance(value, int) else None
    return state.code if state else _shown(value)


def _wanted(item: Requirement) -> str:
    if item.equals is not None:
        return item.equals if isinstance(item.equals, str) else _shown(item.equals)
    low = f"at least {item.low:g}" * (item.low is not None)
    high = f"at most {item.high:g}" * (item.high is not None)
    return " and ".join(part for part in (low, high) if part)
