"""The gate: passwords into tokens, tokens into users. Routes and console ask here, and nowhere else."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.accounts import LOGIN, Accounts
from api.auth import MAX_TOKEN, Busy, LoginBrake, Passwords, User, token_hash
from api.problems import ApiError
from facility.clock import Clock, from_ms
from facility.points import Label

REMEMBER_MS = 5_000
"""How long a verified token is believed without asking the records again: how late a revocation may bite elsewhere."""
REMEMBERED = 1024
SESSION = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """A fresh login."""

    token: str
    user: User
    expires_at: datetime


class Gate:
    """Knows everybody. Holds the brake on guessing and a small memory of verified tokens."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self.refused = 0
        self._accounts = accounts
        self._clock = clock
        self._passwords = Passwords()
        self._brake = LoginBrake()
        self._known: OrderedDict[str, tuple[User, int]] = OrderedDict()

    async def user_of(self, token: str) -> User | None:
        """Who holds this token; None when it is unknown, expired, revoked, or its user is disabled."""
        if len(token) > MAX_TOKEN:
            return None
        digest = token_hash(token)
        now = self._clock.ms()
        known = self._known.get(digest)
        if known and now < known[1]:
            return known[0]
        self._known.pop(digest, None)
        found = await self._accounts.by_token(digest, now)
        if found is None:
            self.refused += 1
            return None
        user, expires = found
        self._known[digest] = (user, min(now + REMEMBER_MS, expires or now + REMEMBER_MS))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return user

    async def login(self, name: str, password: str, address: str) -> Session:
        """A session for the right password; ApiError 401 for a wrong one, 429 for too many tries."""
        wait = self._brake.wait(name, address, self._clock.monotonic())
        if wait > 0:
            raise _too_many(wait)
        account = await self._accounts.by_name(name)
        try:
            right = await self._passwords.verify(account.password_hash if account else None, password)
        except Busy as error:
            raise _too_many(2) from error
        if account is None or not right or account.disabled:
            self.refused += 1
            raise ApiError(401, Label("用户名或密码不正确", "The name or the password is wrong"))
        self._brake.forgive(name, address)
        now = self._clock.ms()
        expires = now + int(SESSION.total_seconds() * 1000)
        user = account.user
        token = await self._accounts.add_token(user, LOGIN, now, expires=expires, actor=user.name, detail=address)
        return Session(token, user, from_ms(expires))

    async def logout(self, token: str) -> None:
        """Revoke this token; nothing happens when it is no good already."""
        user = await self.user_of(token)
        if user is None:
            return
        digest = token_hash(token)
        self._known.pop(digest, None)
        await self._accounts.revoke_hash(digest, at=self._clock.ms(), actor=user.name)


def _too_many(wait: float) -> ApiError:
    seconds = math.ceil(wait)
    detail = Label(f"尝试次数过多，请 {seconds} 秒后再试", f"Too many tries; wait {seconds} s")
    return ApiError(429, detail, headers={"retry-after": str(seconds)})
