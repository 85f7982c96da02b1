"""Tables that can't be played: each file in bad/ is named for its mistake; all of it is told, with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facility.catalog import Catalog
from facility.clock import SystemClock
from simulators.replay.check import COUNTED, SHOWN
from simulators.replay.columns import Wishes
from simulators.replay.service import prepare
from simulators.replay.table import MAX_LINE, TableError

BAD = Path(__file__).parent / "bad"
FLOW = Wishes("time", ["flow=sys.flow"])

TOLD: dict[str, tuple[Wishes, list[str]]] = {
    "empty.csv": (FLOW, [":1: the first line has to name the columns", ":1: there is no column 'time'", "'flow'"]),
    "no_rows.csv": (FLOW, [": has no rows below its first line"]),
    "no_names.csv": (FLOW, [":1: the first line has to name the columns", "'time'", "'flow'"]),
    "numbers_for_names.csv": (FLOW, ["no column 'flow'; known: 2020-01-01T00:00:00, 1 (--map)", "'time'"]),
    "misspelt_columns.csv": (
        Wishes("timestamps", ["flow_m3=sys.flow,Pressure=sys.outlet_presure"]),
        [
            "--map: grundfos-cim: there is no point 'sys.outlet_presure'; did you mean sys.outlet_pressure",
            ":1: there is no column 'Pressure'; did you mean pressure? (--map)",
            ":1: there is no column 'flow_m3'; did you mean flow_m3h? (--map)",
            ":1: there is no column 'timestamps'; did you mean Timestamp? (--time-column)",
        ],
    ),
    "two_columns_of_one_name.csv": (FLOW, [":1: two columns are named 'flow' (--map)"]),
    "text_for_numbers.csv": (
        FLOW,
        [":3: flow: 'abc' is no number", ":4: flow: '1_000'", ":5: flow: '12 m3'", ":6: flow: '0x10' is no number"],
    ),
    "thousands_for_decimals.csv": (FLOW, [":2: flow: '1,234.5' is no number"]),
    "both_decimal_marks.csv": (FLOW, [":3: flow: '1.234' has a '.' where numbers above have a ','"]),
    "unreadable_times.csv": (
        FLOW,
        [":3: time: 'yesterday' is no time in ISO 8601", ":4: time: ''", ":5: time: '1577836800' is no time in ISO"],
    ),
    "dates_like_numbers.csv": (FLOW, [":2: time: '20200201' may be a date or a number; give the time format", ":3:"]),
    "times_of_another_form.csv": (
        replace(FLOW, form="%d/%m/%Y %H:%M"),
        [":3: time: '2020-02-01 00:01' is no time of the form %d/%m/%Y %H:%M"],
    ),
    "values_too_large.csv": (
        Wishes("time", ["flow=sys.flow,temp=sys.liquid_temp"]),
        [
            ":3: flow: '7000', 7000 m³/h, does not fit into uint16, which holds 0 to 6553.5",
            ":4: flow: '-0.1', -0.1 m³/h, does not fit",
            ":5: flow: '6553.5', 6553.5 m³/h, can't be shown: the raw number 65535 means 'not available'",
            ":5: temp: '-300', -300 °C, does not fit into uint16, which holds -273.15 to 382.2",
            ":6: flow: 'inf'",
        ],
    ),
    "unknown_states.csv": (
        Wishes("time", ["mode=sys.operation_mode,run=sys.run"]),
        [
            ":3: mode: 'turbo' is no state of sys.operation_mode; its states: 0 auto, 4 min",
            ":3: run: 'yes' is no state of sys.run; its states: 0 stopped, 1 running",
            ":4: mode: '99'",
            ":4: run: '2'",
        ],
    ),
    "too_few_and_too_many_cells.csv": (FLOW, [":3: has 1 cells, the first line has 2", ":4: has 3 cells"]),
    "open_quote.csv": (FLOW, [":2: a quoted cell is not closed on this line"]),
    "text_after_a_quote.csv": (FLOW, [":2: ',' expected after '\"'"]),
    "saved_as_gbk.csv": (FLOW, [":1: is no UTF-8 text from byte 6 on; save it as UTF-8"]),
    "saved_as_utf16.csv": (FLOW, [":1: is no text"]),
    "saved_as_a_spreadsheet.csv": (FLOW, [":1: is no text"]),
    "cut_off.csv.gz": (FLOW, [": can't be read any further: Compressed file ended"]),
    "many_mistakes.csv": (
        FLOW,
        [*(f":{n}: flow: 'x{n - 2}' is no number" for n in range(2, 2 + SHOWN)), "... and 10 more"],
    ),
}


def refused(path: Path, wishes: Wishes, catalog: Catalog) -> list[str]:
    points = catalog.classes["water_pump"].points
    with pytest.raises(TableError) as caught:
        prepare(path, wishes, catalog.profiles["grundfos-cim"], points, clock=SystemClock(), say=lambda _: None)
    return str(caught.value).splitlines()


def test_every_bad_file_is_tried() -> None:
    assert {path.name for path in BAD.iterdir()} == TOLD.keys()


@pytest.mark.parametrize("name", TOLD)
def test_a_bad_file_is_refused_with_every_mistake(name: str, catalog: Catalog) -> None:
    wishes, told = TOLD[name]
    lines = refused(BAD / name, wishes, catalog)
    assert len(lines) == len(told), lines
    for words in told:
        assert any(words in line for line in lines), (words, lines)
    assert all(name in line or line.startswith(("--", "...")) for line in lines)


def test_a_line_without_end_is_not_taken_in(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "long.csv"
    path.write_text("time,flow\n2020-01-01 00:00:00," + "1" * MAX_LINE + "\n")
    assert refused(path, FLOW, catalog) == [f"{path}:2: is longer than {MAX_LINE} bytes"]


def test_a_file_that_is_wrong_throughout_is_not_read_to_its_end(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "text.csv"
    path.write_text("time,flow\n" + "2020-01-01 00:00:00,x\n" * (SHOWN + COUNTED + 500))
    assert refused(path, FLOW, catalog)[-1] == f"... and at least {COUNTED} more"


def test_a_file_that_is_not_there(tmp_path: Path, catalog: Catalog) -> None:
    assert refused(tmp_path / "no.csv", FLOW, catalog) == [
        f"{tmp_path / 'no.csv'}: can't be opened: No such file or directory"
    ]


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes("time", ["flow"]), "--map: 'flow' is not column=point"),
        (Wishes("time", ["flow=sys.flow,flow=sys.flow"]), "--map: sys.flow is given two columns, 'flow' and 'flow'"),
        (Wishes("time"), "--map: no column is named like a point of grundfos-cim"),
        (replace(FLOW, separator="slash"), "--separator: 'slash' is none of tab, semicolon, pipe, comma"),
        (replace(FLOW, form="%Q"), "--time-format: '%Q' is no time format"),
        (replace(FLOW, form="daily"), "--time-format: 'daily' is no time format"),
        (replace(FLOW, unit=["flow=bar"]), "--scale or --unit: flow: bar measures pressure, m3/h measures flow"),
        (replace(FLOW, unit=["flow=m3/hr"]), "--unit: flow: there is no unit 'm3/hr'; did you mean m3/h"),
        (replace(FLOW, scale=["flow=ten"]), "--scale: flow: 'ten' is no factor"),
        (replace(FLOW, scale=["flow=nan"]), "--scale: flow: 'nan' is no factor"),
        (replace(FLOW, scale=["flows=10"]), "--scale: there is no mapped column 'flows'; did you mean flow?"),
        (Wishes("time", ["flow=sys.run"], ["flow=2"]), "--scale or --unit: flow: sys.run is no measured number"),
    ],
)
def test_a_wrong_option_is_named(wishes: Wishes, told: str, catalog: Catalog) -> None:
    (line,) = refused(BAD / "no_rows.csv", wishes, catalog)
    assert line.startswith(told)


def test_what_only_repeats_other_points_can_not_be_given(catalog: Catalog) -> None:
    points = catalog.classes["power"].points
    with pytest.raises(TableError, match=r"ats\.position only shows again what other points of abb-ats022 say"):
        prepare(
            BAD / "no_rows.csv", Wishes("time", ["flow=ats.position"]), catalog.profiles["abb-ats022"], points,
            clock=SystemClock(), say=lambda _: None,
        )  # fmt: skip
