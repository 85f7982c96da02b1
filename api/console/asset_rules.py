"""The rules of an asset and what each comes to now, so that silence can be explained too."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import background_tasks, ui

from api.console.marks import Text, box, severity_mark
from api.console.visitor import Visitor
from api.console.why import draw_account, draw_notes
from api.console.why_texts import WHY
from api.explaining import View
from facility.errors import ConfigError, StoreError
from rules.explain.scene import Account
from rules.explain.sentence import VERDICTS, sentence

REFRESH_MS = 60_000
"""How often they are worked out anew while the page is open."""
MOST_UNKNOWN = 8
"""Rules that can't tell are shown up to so many; of an asset that says nothing all would be."""
_FIRST = ("active", "clearing", "pending", "paused", "unknown", "disabled", "outside_hours", "watching")


class RulesSection:
    """The list on an asset's page: what rings or is about to first, what merely watches behind a button."""

    def __init__(self, visitor: Visitor, asset: str) -> None:
        self._visitor = visitor
        self._asset = asset
        self._due = 0
        self._alarms: Sequence[tuple[str, int]] | None = None
        self._busy = False
        self._all = False
        self._box = box("rules")

    def tick(self, alarms: Sequence[tuple[str, int]]) -> None:
        """Work them out anew when it is time, or when the asset's alarms (id, version) have changed."""
        now = self._visitor.deps.clock.ms()
        if self._busy or (now < self._due and alarms == self._alarms):
            return
        self._busy, self._due, self._alarms = True, now + REFRESH_MS, alarms
        background_tasks.create(self._gather(), name=f"rules of {self._asset}")

    async def _gather(self) -> None:
        trouble, views = "", list[View]()
        try:
            views = await self._visitor.deps.explainer.asset(self._asset)
        except ConfigError:
            trouble = "rules_broken"
        except StoreError:
            trouble = "not_now"
        finally:
            self._busy = False
        if not self._visitor.client.is_deleted:
            self._draw(views, trouble)

    def _draw(self, views: Sequence[View], trouble: str = "") -> None:
        self._box.clear()
        with self._box:
            Text("heading", self._say("rules"))
            if trouble or not views:
                Text("when", self._say(trouble or "rules_none"))
                return
            known = sorted(
                ((view.account, view) for view in views if view.account),
                key=lambda item: (_FIRST.index(item[0].verdict), int(item[0].rule.severity)),
            )
            shown = known if self._all else _telling(known)
            for account, view in shown:
                self._rule(account, view)
            if len(known) > len(shown) or self._all:
                hidden = [account for account, _ in known if account not in [item for item, _ in shown]]
                self._button(hidden, lambda: self._turn(views))

    def _turn(self, views: Sequence[View]) -> None:
        self._all = not self._all
        self._draw(views)

    def _button(self, hidden: Sequence[Account], turn: object) -> None:
        blind = sum(account.verdict == "unknown" for account in hidden)
        text = self._say("rules_more_1" if len(hidden) == 1 else "rules_more_n", n=len(hidden))
        text += self._say("rules_blind", n=blind) if blind else ""
        text = self._say("less") if self._all else text
        with ui.element("button").classes("quiet").on("click", turn):  # type: ignore[arg-type]
            ui.label(text)

    def _rule(self, account: Account, view: View) -> None:
        visitor = self._visitor
        with ui.element("details").classes(f"fold rule {account.verdict}"):
            with ui.element("summary"), box("rule-line"):
                severity_mark(int(account.rule.severity), visitor.language, word=False)
                Text("name", visitor.to(account.rule.label))
                Text(f"verdict {account.verdict}", visitor.to(VERDICTS[account.verdict]))
                Text("sentence", sentence(account, visitor.language))
            draw_notes(visitor, view.notes)
            draw_account(visitor, account)

    def _say(self, key: str, **fill: object) -> str:
        return WHY[key].to(self._visitor.language).format(**fill)


def _telling(known: Sequence[tuple[Account, View]]) -> list[tuple[Account, View]]:
    """Those worth a line: what rings or is about to, and the first of those that can't tell."""
    loud = [item for item in known if item[0].verdict in ("active", "clearing", "pending", "paused")]
    blind = [item for item in known if item[0].verdict == "unknown" and not item[0].is_check]
    return [*loud, *blind[:MOST_UNKNOWN]]
