"""What commands share: durations as people write them, and what to say of a name that nobody knows."""

from __future__ import annotations

import pytest

from facility.duration import seconds, spoken
from facility.names import SHOWN, unknown


@pytest.mark.parametrize(
    ("text", "found"),
    [("60s", 60), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("500ms", 0.5), ("1.5", 1.5), (" 3 ", 3), ("0.5s", 0.5)],
)
def test_durations(text: str, found: float) -> None:
    assert seconds(text) == pytest.approx(found)


@pytest.mark.parametrize("text", ["", "s", "soon", "-1", "0", "0s", "1w", "1e3", "inf", "nan", "1 000", "9" * 400])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration, such as 60s or 5m"):
        seconds(text)


@pytest.mark.parametrize(
    ("seconds_", "text"),
    [(0.03, "0.03 s"), (12, "12 s"), (119, "119 s"), (270, "4.5 min"), (7560, "2.1 h"), (2e7, "231 d")],
)
def test_durations_as_they_are_read(seconds_: float, text: str) -> None:
    assert spoken(seconds_) == text


def test_a_name_that_nobody_knows() -> None:
    assert unknown("point", "Flow", ["flow", "p"]) == "there is no point 'Flow'; did you mean flow?"
    assert unknown("point", "x", ["flow", "p"]) == "there is no point 'x'; known: flow, p"
    assert unknown("point", "x", []) == "there is no point 'x'; known: none"
    many = [f"sensor_{number}" for number in range(SHOWN + 3)]
    assert unknown("column", "x", many).endswith(f"sensor_{SHOWN - 1} and 3 more")
