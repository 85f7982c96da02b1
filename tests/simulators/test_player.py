"""A scenario in the models' time: the same at every portioning of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from facility.hardware import On
from simulators.player import Player
from simulators.scenario import Action, Scenario

ACTIONS = (
    Action(1.0, On.ASSET, "A", "one", 2.0),
    Action(2.5, On.ASSET, "A", "press"),
    Action(3.0, On.ASSET, "B", "two", 4.0),
)
SCENARIO = Scenario("s", 8.0, 1, ACTIONS)


class Log:
    """A stage that writes down what happens, and when by the time that has been played."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.lines: list[tuple[float, str, str]] = []

    def _note(self, what: str, action: Action) -> None:
        self.lines.append((round(self.seconds, 6), what, action.name))

    def begin(self, action: Action) -> None:
        self._note("begin", action)

    def end(self, action: Action) -> None:
        self._note("end", action)

    def act(self, action: Action) -> None:
        self._note("act", action)


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=60))
def test_everything_happens_at_its_instant_however_time_is_portioned(portions: list[float]) -> None:
    log = Log()
    player = Player(SCENARIO, log)
    for portion in [*portions, 8.0]:
        for piece in player.pieces(portion):
            log.seconds += piece
    assert log.lines == [
        (1.0, "begin", "one"), (2.5, "act", "press"), (3.0, "end", "one"), (3.0, "begin", "two"), (7.0, "end", "two"),
    ]  # fmt: skip
    assert player.over
    assert log.seconds == sum(portions) + 8.0 or abs(log.seconds - sum(portions) - 8.0) < 1e-6


def test_stopping_ends_what_is_on_and_nothing_else() -> None:
    log = Log()
    player = Player(SCENARIO, log)
    for piece in player.pieces(4.0):
        log.seconds += piece
    player.stop()
    list(player.pieces(10.0))
    assert [(what, name) for _, what, name in log.lines[-2:]] == [("begin", "two"), ("end", "two")]
