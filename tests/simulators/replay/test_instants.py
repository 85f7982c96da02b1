"""Times: one form a column, found from its first row or given."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.replay.instants import Instants

AT = 1_580_562_000.0  # 2020-02-01 13:00 UTC


@pytest.mark.parametrize(
    "text",
    [
        "2020-02-01 13:00:00", "2020-02-01T13:00:00Z", "2020-02-01T21:00:00+08:00", " 2020-02-01 13:00 ",
        "20200201T130000", "2020-02-01 13:00:00.000000", "1580562000", "1580562000.0", "1580562000000",
        "1580562000000000", "1580562000000000000",
    ],
)  # fmt: skip
def test_forms_that_are_found(text: str) -> None:
    assert Instants().read(text) == AT


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d/%m/%Y %H:%M:%S", "01/02/2020 13:00:00"),
        ("%Y/%m/%d %H:%M", "2020/2/1 13:00"),
        ("%Y%m%d%H%M%S", "20200201130000"),
        ("%d.%m.%Y %H:%M %z", "01.02.2020 21:00 +0800"),
        ("%Y年%m月%d日 %H时%M分", "2020年02月01日 13时00分"),
    ],
)
def test_forms_that_are_given(form: str, text: str) -> None:
    assert Instants(form).read(text) == AT


def test_seconds_from_the_beginning() -> None:
    times = Instants()
    assert [times.read(text) for text in ("0", "0.5", "-1", "86400")] == [0.0, 0.5, -1.0, 86_400.0]


@pytest.mark.parametrize("text", ["", "now", "2020-13-01", "32/01/2020", "20200201", "20200201130000",
                                  "202002011300", "1e10", "nan", "inf"])  # fmt: skip
def test_no_times(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|may be a date or a number"):
        Instants().read(text)


def test_a_column_keeps_to_the_form_of_its_first_row() -> None:
    times = Instants()
    with pytest.raises(ValueError, match="is no time"):
        times.read("?")
    assert times.read("1580562000") == AT
    with pytest.raises(ValueError, match="in seconds, ms, us or ns since 1970"):
        times.read("2020-02-01 13:00:00")


@given(st.integers(315_532_800_000_000, 4_102_444_800_000_000))
def test_any_instant_is_read_back(micros: int) -> None:
    """1980 to 2100, in every form that is found."""
    seconds = micros / 1e6
    assert Instants().read(datetime.fromtimestamp(seconds, UTC).isoformat()) == pytest.approx(seconds, abs=1e-5)
    assert Instants().read(repr(seconds)) == seconds
    assert Instants().read(str(micros // 1000)) == pytest.approx(seconds, abs=1e-3)
    assert Instants().read(str(micros)) == seconds
