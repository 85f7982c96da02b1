"""Users and tokens in SQL (tables: rules/records/schema.py); every change with an audit row in its transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Role, User, new_token, token_hash
from facility.errors import CaretakerError
from rules.records.records import Records
from rules.records.schema import audit, tokens, users

LOGIN = "login"
"""The name of the tokens that a login gives."""
FORGET_MS = 30 * 86_400_000
"""Login sessions that ended this long ago are forgotten; the audit keeps that they were."""


class AccountError(CaretakerError):
    """An account command that can't be carried out: no such user, or the name is taken."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the records have it."""

    user: User
    password_hash: str
    disabled: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What may be told of a token; never the token itself. Instants are ms, None for never."""

    id: int
    user: str
    name: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None


class Accounts:
    """Users and tokens. Every method raises StoreError when the records don't answer."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def by_name(self, name: str) -> Account | None:
        """The user with this name."""
        found = await self._rows(select(users).where(users.c.name == name))
        return _account(found[0]) if found else None

    async def by_token(self, digest: str, at: int) -> tuple[User, int | None] | None:
        """(who holds it, when it expires) of a token that is good at `at`; None otherwise."""
        query = (
            select(users, tokens.c.expires_at)
            .join(tokens, tokens.c.user_id == users.c.id)
            .where(tokens.c.hash == digest, tokens.c.revoked_at.is_(None), users.c.disabled.is_(False))
        )
        found = await self._rows(query)
        if not found or (found[0]["expires_at"] is not None and found[0]["expires_at"] <= at):
            return None
        return _account(found[0]).user, found[0]["expires_at"]

    async def all(self) -> list[Account]:
        """Every user, by name."""
        return [_account(row) for row in await self._rows(select(users).order_by(users.c.name))]

    async def add(self, name: str, role: Role, *, language: str, password_hash: str, at: int, actor: str) -> User:
        """A new user; AccountError when the name is taken."""
        values = {"name": name, "role": role.value, "language": language, "password_hash": password_hash}
        try:
            async with self._records.writing() as connection:
                await connection.execute(insert(users).values(**values, created_at=at, disabled=False))
                await _note(connection, at, actor, "user.add", name, detail=f"role={role.value}")
        except IntegrityError as error:
            raise AccountError(f"the user {name!r} is there already") from error
        account = await self.by_name(name)
        assert account is not None
        return account.user

    async def change(self, name: str, values: dict[str, object], *, at: int, actor: str, action: str) -> None:
        """Set columns of a user; AccountError when there is none with this name."""
        async with self._records.writing() as connection:
            done = await connection.execute(update(users).where(users.c.name == name).values(**values))
            if not done.rowcount:
                raise AccountError(f"there is no user {name!r}")
            await _note(connection, at, actor, action, name)

    async def add_token(
        self, user: User, name: str, at: int, *, expires: int | None, actor: str, detail: str = ""
    ) -> str:
        """A fresh token for a user, returned this once; the records keep its digest only."""
        token = new_token()
        values = {"user_id": user.id, "name": name, "hash": token_hash(token), "created_at": at, "expires_at": expires}
        old = (tokens.c.user_id == user.id) & (tokens.c.name == LOGIN) & (tokens.c.expires_at < at - FORGET_MS)
        async with self._records.writing() as connection:
            await connection.execute(delete(tokens).where(old))
            await connection.execute(insert(tokens).values(**values))
            await _note(connection, at, actor, "token.add", f"{user.name} {name}"[:128], detail=detail)
        return token

    async def token_rows(self) -> list[TokenRow]:
        """Every token that was ever given and not forgotten, newest first."""
        columns = [tokens.c[name] for name in ("id", "name", "created_at", "expires_at", "revoked_at")]
        query = select(*columns, users.c.name.label("user")).join(users, users.c.id == tokens.c.user_id)
        return [TokenRow(**row) for row in await self._rows(query.order_by(tokens.c.id.desc()))]

    async def revoke(self, token_id: int, *, at: int, actor: str) -> None:
        """End a token now; AccountError when there is no live one with this number."""
        live = (tokens.c.id == token_id) & tokens.c.revoked_at.is_(None)
        async with self._records.writing() as connection:
            done = await connection.execute(update(tokens).where(live).values(revoked_at=at))
            if not done.rowcount:
                raise AccountError(f"there is no token {token_id} that is still good")
            await _note(connection, at, actor, "token.revoke", str(token_id))

    async def revoke_hash(self, digest: str, *, at: int, actor: str) -> None:
        """End the token with this digest, if there is one."""
        live = (tokens.c.hash == digest) & tokens.c.revoked_at.is_(None)
        async with self._records.writing() as connection:
            done = await connection.execute(update(tokens).where(live).values(revoked_at=at))
            if done.rowcount:
                await _note(connection, at, actor, "token.revoke", actor, detail="logout")

    async def _rows(self, query: Select[Any]) -> list[RowMapping]:
        async with self._records.reading() as connection:
            return list((await connection.execute(query)).mappings())


async def _note(connection: AsyncConnection, at: int, actor: str, action: str, what: str, *, detail: str = "") -> None:
    await connection.execute(insert(audit).values(at=at, actor=actor, action=action, object=what, detail=detail))


def _account(row: RowMapping) -> Account:
    user = User(row["id"], row["name"], Role(row["role"]), row["language"])
    return Account(user, row["password_hash"], row["disabled"], row["created_at"])
