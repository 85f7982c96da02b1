"""Who looks at a screen, in which language, and what becomes of what they ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import Client, ui

from api.auth import Action, User, allowed
from api.console.texts import say
from api.deps import Deps
from api.problems import ApiError, language_of
from api.session import LANGUAGE_COOKIE
from facility.clock import from_ms
from facility.errors import StoreError, TransitionError
from facility.points import Label
from facility.words import ALARM_STATES, COMMAND_STATES, DRILL_STATES, IMPAIRMENT_STATES, TICKET_STATES
from rules.life.rows import NotFoundError

Mood = Literal["positive", "negative", "warning"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """A logged-in user at one page of one browser. `token` proves them anew before every act."""

    deps: Deps
    user: User
    token: str
    language: str
    client: Client

    def say(self, key: str, **fill: object) -> str:
        """A text of the console."""
        return say(key, self.language, **fill)

    def to(self, label: Label) -> str:
        """A text of the data."""
        return label.to(self.language)

    def may(self, action: Action) -> bool:
        """Whether a button is worth showing; the act itself asks again."""
        return allowed(self.user, action)

    def local(self, ms: int) -> datetime:
        """An instant in the site's time zone."""
        return from_ms(ms).astimezone(ZoneInfo(self.deps.site.time_zone))

    def time(self, ms: int) -> str:
        """An instant as people read it: the time, with the date when it is not today."""
        at, today = self.local(ms), self.local(self.deps.clock.ms())
        return at.strftime("%H:%M:%S" if at.date() == today.date() else "%Y-%m-%d %H:%M")

    def tell(self, text: str, mood: Mood) -> None:
        """A notice on the page; none when the page is gone."""
        if self.client.is_deleted:
            return
        with self.client:
            ui.notify(text, type=mood, position="top", timeout=1500 if mood == "positive" else 6000)

    async def act(self, action: Action, do: Callable[[User], Awaitable[object]], *, done: str = "done") -> bool:
        """Carry out what a button asks for, if the user still may; say what became of it. True when it was done.

        `done` is the key of the text that says so.
        """
        try:
            user = await self.deps.gate.user_of(self.token)
            if user is None or not allowed(user, action):
                self.tell(self.say("logged_out" if user is None else "forbidden"), "warning")
                return False
            await do(user)
        except TransitionError as error:
            tables = (ALARM_STATES, TICKET_STATES, COMMAND_STATES, DRILL_STATES, IMPAIRMENT_STATES)
            label = next((table[error.state] for table in tables if error.state in table), None)
            self.tell(self.say("quicker", state=self.to(label) if label else error.state), "warning")
            return False
        except (ApiError, ValueError, NotFoundError) as error:
            self.tell(self.to(error.detail) if isinstance(error, ApiError) else str(error), "warning")
            return False
        except StoreError:
            self.tell(self.say("try_again"), "negative")
            return False
        finally:
            self.deps.board.touch()
        self.tell(self.say(done), "positive")
        return True


def visitor_of(request: Request, deps: Deps) -> Visitor:
    """The visitor whom the door let in."""
    user = request.state.user
    assert isinstance(user, User)
    return Visitor(deps, user, request.state.token, chosen_language(request, user), ui.context.client)


def chosen_language(request: Request, user: User | None = None) -> str:
    """What was chosen on this browser, else the user's own, else what the browser asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in ("zh", "en"):
        return chosen
    return user.language if user else language_of(request)
