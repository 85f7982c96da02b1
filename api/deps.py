"""What a route may ask for: stores, bus, clock, live values, and who is calling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.accounts import Accounts
from api.auth import Action, User, allowed
from api.board import Board, Glance
from api.commander import Commander
from api.explaining import Explainer
from api.gate import Gate
from api.live import LiveCache
from api.problems import ApiError
from facility.bus import Bus
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.hardware import Control
from facility.points import Label
from ingest.accounting import Gap
from ingest.deadletters import DeadLetters
from ingest.store import ReadingStore
from rules.desk.command_desk import CommandDesk
from rules.desk.commands import Commands
from rules.desk.drilling import drills_of
from rules.desk.impairing import impairments_of
from rules.effects import Seen
from rules.notification.notify import Routing
from rules.performance.reading import Performance
from rules.records import related
from rules.records.records import Records

COOKIE = "caretaker_session"
Metrics = Callable[[], Mapping[str, Mapping[str, float]]]
"""Role -> counter or gauge name -> value, asked for at each scrape."""


def _no_metrics() -> Mapping[str, Mapping[str, float]]:
    return {}


def _no_gaps() -> Sequence[Gap]:
    return ()


@dataclass(slots=True)
class Deps:
    """Everything the API works with. The composition root makes it; nothing in api/ makes its own.

    `metrics` and `gaps` (batches that are missing) are asked for when somebody looks; a process without ingest has
    no gaps to tell. `hardware` is the control of the simulated hardware, None where the equipment is real.
    `commands`, `accounts`, `gate` (who is who), `board` (the live alarms), `commander` (commands to equipment) and
    `performance` (the alarm system's figures) follow from the rest.
    """

    site: Site
    catalog: Catalog
    store: ReadingStore
    records: Records
    dead_letters: DeadLetters
    bus: Bus
    clock: Clock
    live: LiveCache
    metrics: Metrics = _no_metrics
    version: str = "0"
    gaps: Callable[[], Sequence[Gap]] = _no_gaps
    hardware: Control | None = None
    commands: Commands = field(init=False)
    accounts: Accounts = field(init=False)
    gate: Gate = field(init=False)
    board: Board = field(init=False)
    commander: Commander = field(init=False)
    explainer: Explainer = field(init=False)
    performance: Performance = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.records)
        self.gate = Gate(self.accounts, self.clock)
        self.board = Board(self._glance, self.live, self.clock)
        self.performance = Performance(self.records, self.clock)
        desk = CommandDesk(self.records, self.site.id)
        self.commands = self._commands(self.site)
        self.commander = Commander(self.site, self.catalog, desk=desk, bus=self.bus, clock=self.clock, live=self.live)
        self.explainer = Explainer(
            self.site, self.catalog, store=self.store, records=self.records, live=self.live, clock=self.clock
        )

    def adopt(self, site: Site, catalog: Catalog) -> None:
        """Take over a changed site while serving: whoever looks next sees it, no client is cut."""
        self.site, self.catalog = site, catalog
        self.commands = self._commands(site)
        self.live.adopt(site, catalog)
        self.commander.adopt(site, catalog)
        self.explainer.adopt(site, catalog)

    def _commands(self, site: Site) -> Commands:
        return Commands(self.records, Routing.of(site), self._look)

    def _look(self, asset: str, points: Iterable[str]) -> dict[str, Seen]:
        """What is known of an asset's points now, for the journal of what people do."""
        found = ((key, self.live.reading(asset, key)) for key in points)
        return {key: Seen(reading.value, reading.quality, reading.at) for key, reading in found if reading}

    async def _glance(self) -> Glance:
        records, site = self.records, self.site.id
        floods = await related.floods(records, site, limit=1)
        flood = floods[0] if floods and floods[0].ended_at is None else None
        drills = (await drills_of(records, site, open_=True)).items
        impairments = (await impairments_of(records, site, open_=True)).items
        return Glance(await records.live_alarms(site), flood, drills, impairments)


def deps_of_app(app: FastAPI) -> Deps:
    """The Deps that `create_app` was given."""
    deps = app.state.deps
    assert isinstance(deps, Deps)
    return deps


def get_deps(request: Request) -> Deps:
    """As a FastAPI dependency."""
    return deps_of_app(request.app)


def get_gate(request: Request) -> Gate:
    """As a FastAPI dependency."""
    return deps_of_app(request.app).gate


_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token from login or `caretaker token add`")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session", description="The console's; reads only")

SAFE = frozenset({"GET", "HEAD"})


async def current_user(
    request: Request,
    gate: Annotated[Gate, Depends(get_gate)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> User:
    """Who is calling; 401 when nobody we know. The console's cookie is for reading only: no foreign page can act."""
    token = bearer.credentials if bearer else (cookie if request.method in SAFE else None)
    user = await gate.user_of(token) if token else None
    if user is None:
        detail = Label("请在 Authorization 请求头中提供有效的令牌", "Send a valid token: Authorization: Bearer ...")
        raise ApiError(401, detail, headers={"www-authenticate": 'Bearer realm="caretaker"'})
    return user


def may(action: Action) -> Callable[[User], Awaitable[User]]:
    """A dependency: the caller, if it may do this; 403 otherwise."""

    async def check(user: Annotated[User, Depends(current_user)]) -> User:
        demand(user, action)
        return user

    return check


def demand(user: User, action: Action) -> None:
    """403 unless the user may do this."""
    if not allowed(user, action):
        detail = Label(f"角色 {user.role} 无权执行 {action}", f"The role {user.role} may not do {action}")
        raise ApiError(403, detail, extra={"action": str(action), "role": str(user.role)})


DepsOf = Annotated[Deps, Depends(get_deps)]
GateOf = Annotated[Gate, Depends(get_gate)]
Reader = Annotated[User, Depends(may(Action.READ))]
