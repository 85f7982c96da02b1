"""Who may do what, passwords, tokens, and the brake on guessing. No SQL: that is accounts.py."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

TOKEN_PREFIX = "ck_"  # noqa: S105 - the public part, by which a leaked token is recognised
MIN_PASSWORD = 8
MAX_PASSWORD = 256
MAX_TOKEN = 128


class Role(StrEnum):
    """What a person is. A viewer looks, an operator watches the control room, a crew repairs, a manager signs off."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    CREW = "crew"
    MANAGER = "manager"
    ADMIN = "admin"


class Action(StrEnum):
    """What can be asked for. Every route and every button names exactly one."""

    READ = "read"
    ALARM_ACKNOWLEDGE = "alarm.acknowledge"
    ALARM_RESET = "alarm.reset"
    ALARM_SHELVE = "alarm.shelve"
    ALARM_REMOVE = "alarm.remove"
    ALARM_REMOVE_LIFE_SAFETY = "alarm.remove_life_safety"
    TICKET_DISPATCH = "ticket.dispatch"
    TICKET_WORK = "ticket.work"
    TICKET_APPROVE = "ticket.approve"
    DEAD_LETTERS = "dead_letters"
    SIMULATE = "simulate"
    COMMAND = "command"
    PERFORMANCE = "performance"
    LINKAGE_NOTE = "linkage.note"
    DRILL = "drill"
    IMPAIRMENT = "impairment"
    IMPAIRMENT_ROUND = "impairment.round"
    IMPAIRMENT_SIGN = "impairment.sign"


_EVERYONE = frozenset(Role)
_ROOM = frozenset({Role.OPERATOR, Role.MANAGER, Role.ADMIN})
_OFFICE = frozenset({Role.MANAGER, Role.ADMIN})

TABLE: dict[Action, frozenset[Role]] = {
    Action.READ: _EVERYONE,
    Action.ALARM_ACKNOWLEDGE: _ROOM | {Role.CREW},
    Action.ALARM_RESET: _ROOM,
    Action.ALARM_SHELVE: _ROOM,
    Action.ALARM_REMOVE: _ROOM,
    Action.ALARM_REMOVE_LIFE_SAFETY: _OFFICE,
    Action.TICKET_DISPATCH: _ROOM,
    Action.TICKET_WORK: _ROOM | {Role.CREW},
    Action.TICKET_APPROVE: _OFFICE,
    Action.DEAD_LETTERS: frozenset({Role.ADMIN}),
    Action.SIMULATE: _OFFICE,
    Action.COMMAND: _ROOM,
    Action.PERFORMANCE: _ROOM,
    Action.LINKAGE_NOTE: _ROOM,
    Action.DRILL: _OFFICE,
    Action.IMPAIRMENT: _ROOM,
    Action.IMPAIRMENT_ROUND: _ROOM | {Role.CREW},
    Action.IMPAIRMENT_SIGN: _OFFICE,
}
"""The one table of rights. An action that is not in it is allowed to nobody.

Who sees the whole building commands it, and approves for another: operators, managers, admins. A crew stands before the
machine and uses its own switch, where it also sees who is in the way; a viewer only looks.
"""


@dataclass(frozen=True, slots=True)
class User:
    """A person or a service that has proved who it is."""

    id: int
    name: str
    role: Role
    language: str = "zh"


def allowed(user: User, action: Action) -> bool:
    """Whether a user may do this."""
    return user.role in TABLE.get(action, frozenset())


def new_token() -> str:
    """A fresh random token of 256 bits; shown once, kept nowhere but as `token_hash`."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a token. A plain digest will do: 256 random bits can't be guessed, so nothing slows us."""
    return hashlib.sha256(token.encode()).hexdigest()


class Busy(Exception):  # noqa: N818 - a condition, answered with 429
    """More passwords wait to be checked than this machine should check."""


class Passwords:
    """Argon2id off the event loop, at most `parallel` at a time (each takes 19 MiB), at most `waiting` behind them."""

    def __init__(self, *, parallel: int = 2, waiting: int = 32) -> None:
        # OWASP's second choice for Argon2id: 19 MiB, so that the whole stays within its footprint
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._gate = asyncio.Semaphore(parallel)
        self._limit = parallel + waiting
        self._inside = 0
        self._decoy: str | None = None

    def hash_now(self, password: str) -> str:
        """The hash to keep, on the caller's thread (some 30 ms); ValueError for a password too short or too long."""
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise ValueError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
        return self._hasher.hash(password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one; takes as long for an unknown user (`stored` None) as for a known one."""
        if self._inside >= self._limit:
            raise Busy
        self._inside += 1
        try:
            async with self._gate:
                return await asyncio.to_thread(self._verify, stored, password[: MAX_PASSWORD + 1])
        finally:
            self._inside -= 1

    def _verify(self, stored: str | None, password: str) -> bool:
        if self._decoy is None:
            self._decoy = self._hasher.hash(secrets.token_urlsafe(16))
        try:
            return self._hasher.verify(stored or self._decoy, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class LoginBrake:
    """Slows guessing: a few tries, then one each `every` seconds, per (user, address) and, wider, per address.

    Time comes in as seconds of a monotonic clock. At most `size` buckets are remembered, the least used forgotten;
    the bucket per address keeps one address from making the other buckets forget.
    """

    def __init__(self, *, tries: int = 5, every: float = 12.0, wide: int = 6, size: int = 4096) -> None:
        self._tries = tries
        self._every = every
        self._wide = wide
        self._size = size
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, user: str, address: str, at: float) -> float:
        """Seconds until this user may try from this address; 0 when now (and then the try is counted)."""
        pair = self._bucket((user[:64], address), self._tries, self._every, at)
        address_only = self._bucket(("", address), self._tries * self._wide, self._every / self._wide, at)
        if pair.left >= 1 and address_only.left >= 1:
            pair.left -= 1
            address_only.left -= 1
            return 0.0
        return max((1 - pair.left) * self._every, (1 - address_only.left) * self._every / self._wide, 0.001)

    def forgive(self, user: str, address: str) -> None:
        """Give back the try: the password was right."""
        for key, most in (((user[:64], address), self._tries), (("", address), self._tries * self._wide)):
            bucket = self._buckets.get(key)
            if bucket:
                bucket.left = min(most, bucket.left + 1)

    def _bucket(self, key: tuple[str, str], tries: int, every: float, at: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(tries), at)
        else:
            bucket.left = min(float(tries), bucket.left + max(0.0, at - bucket.at) / every)
            bucket.at = at
        self._buckets.move_to_end(key)
        while len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        return bucket
