"""How files are laid out: separators, marks of order, quotes, gzip; and what the check says about a good one."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.readings import Value
from simulators.replay.check import STEP, Summary
from simulators.replay.columns import Wishes
from simulators.replay.service import opened, prepare
from simulators.replay.table import SEPARATORS, Row, Table, sniffed

PUMP = Wishes("time", ["flow=sys.flow,p=sys.outlet_pressure"], unit=["p=bar"])
FIRST = {"sys.flow": 1.5, "sys.outlet_pressure": pytest.approx(0.45)}


def read(path: Path, wishes: Wishes, catalog: Catalog, *, profile: str = "grundfos-cim") -> tuple[Table, Summary]:
    found = catalog.profiles[profile]
    points = catalog.classes[found.asset_class].points
    return prepare(path, wishes, found, points, clock=SystemClock(), say=lambda _: None)


def rows(path: Path, table: Table) -> list[Row]:
    wrong: list[object] = []
    with opened(path) as file:
        found = list(table.rows(file.lines, wrong.append))
    assert not wrong
    return found


LAYOUTS = {
    "comma": b"time,flow,p\n2020-01-01 00:00:00,1.5,4.5\n",
    "semicolon": b"time;flow;p\n2020-01-01 00:00:00;1.5;4.5\n",
    "tab": b"time\tflow\tp\n2020-01-01 00:00:00\t1.5\t4.5\n",
    "pipe": b"time|flow|p\n2020-01-01 00:00:00|1.5|4.5\n",
    "decimal comma": b"time;flow;p\n2020-01-01 00:00:00;1,5;4,5\n",
    "decimal comma, tabs": b"time\tflow\tp\n2020-01-01 00:00:00\t1,5\t4,5\n",
    "commas in the first line": b"time;a, b, c, d;flow;p\n2020-01-01 00:00:00;;1,5;4,5\n",
    "mark": b"\xef\xbb\xbftime,flow,p\n2020-01-01 00:00:00,1.5,4.5\n",
    "quotes": b'"time","flow","p","a ""b"", c"\n"2020-01-01 00:00:00","1.5","4.5","x, y"\n',
    "spaces": b"time, flow, p\n2020-01-01 00:00:00, 1.5, 4.5\n",
    "windows": b"time,flow,p\r\n2020-01-01 00:00:00,1.5,4.5\r\n",
    "no end": b"time,flow,p\n2020-01-01 00:00:00,1.5,4.5",
    "empty lines": b"time,flow,p\n\n2020-01-01 00:00:00,1.5,4.5\n\n",
    "signs of a terminal": b"time,\x1b flow\x1b,p,\x1b[2J\n2020-01-01 00:00:00,1.5,4.5,\n",
    "other columns": b",time,x,flow,p,x\n0,2020-01-01 00:00:00,text,1.5,4.5,text\n",
    "chinese": "time,flow,p,备注\n2020-01-01 00:00:00,1.5,4.5,“好”\n".encode(),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, packed: bool, tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / ("table.csv.gz" if packed else "table.csv")
    path.write_bytes(gzip.compress(LAYOUTS[layout]) if packed else LAYOUTS[layout])
    table, summary = read(path, PUMP, catalog)
    assert (summary.rows, dict(summary.first)) == (1, FIRST)
    assert rows(path, table) == [(1_577_836_800.0, FIRST)]


@pytest.mark.parametrize("separator", [*SEPARATORS, *SEPARATORS.values(), "\\t"])
def test_a_given_separator(separator: str, tmp_path: Path, catalog: Catalog) -> None:
    sign = SEPARATORS.get(separator, separator).replace("\\t", "\t")
    path = tmp_path / "table.csv"
    path.write_text(sign.join(["time", "flow", "p"]) + "\n" + sign.join(["2020-01-01 00:00:00", "1.5", "4.5"]) + "\n")
    assert dict(read(path, replace(PUMP, separator=separator), catalog)[1].first) == FIRST


NAMES = st.text(st.characters(exclude_characters=';|\t,"', exclude_categories=["C", "Z"]), min_size=1, max_size=9)


@pytest.mark.slow
@given(st.sampled_from(sorted(SEPARATORS.values())), st.lists(NAMES, min_size=2, max_size=9, unique=True))
def test_the_separator_is_the_one_that_finds_the_names(separator: str, names: list[str]) -> None:
    assert sniffed(separator.join(names), names) == separator


def test_columns_named_like_points_need_no_map(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("time,ats.line1_status,ats.src1_ok,other\n0,0,1,x\n")
    table, _ = read(path, Wishes("time"), catalog, profile="abb-ats022")
    assert [column.point for column in table.columns] == ["ats.line1_status"]  # the other only repeats it


def test_one_column_may_be_several_points_and_names_may_hold_signs(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text('time;"U=, mean"\n0;230,5\n')
    table, summary = read(
        path, Wishes("time", ['"U=, mean"=u.l1n', '"U=, mean"=u.l2n']), catalog, profile="eastron-sdm630"
    )
    assert dict(summary.first) == {"u.l1n": 230.5, "u.l2n": 230.5}
    assert len(table.columns) == 2


def test_what_the_check_has_seen(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("time,flow,p\n0,1,1\n10,,\n5,2001,1\n60,1,50\n70,1,50\n")
    _, summary = read(path, PUMP, catalog)
    seen = (summary.rows, summary.start, summary.end, summary.gap, summary.backward, summary.empty)
    assert seen == (5, 0.0, 70.0, 50.0, 1, 2)
    assert summary.outside == {"sys.flow": 1, "sys.outlet_pressure": 2}
    assert summary.interval == 17.5


class Hurried:
    """A clock that goes on by half a second each time that somebody looks."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        self.at += 0.5
        return self.at


def test_a_long_check_says_how_far_it_is(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "table.csv"
    path.write_text("time,flow,p\n" + "0,1,1\n" * (4 * STEP))
    said: list[str] = []
    found = catalog.profiles["grundfos-cim"]
    clock: Any = Hurried()
    prepare(path, PUMP, found, catalog.classes["water_pump"].points, clock=clock, say=said.append)
    assert said[0].startswith(f"checked {2 * STEP:,} rows, ")
    assert said[0].endswith("% of table.csv")


PUBLIC = Path(__file__).parent / "public"
LAST: dict[str, tuple[str, Wishes, Mapping[str, Value]]] = {
    # an air compressor of a metro train (UCI 791): an unnamed first column, switches as 0.0 and 1.0, bar
    "air_compressor.csv": (
        "grundfos-cim",
        Wishes(
            "timestamp",
            ["TP2=sys.outlet_pressure,Reservoirs=sys.remote_pressure,Oil_temperature=sys.liquid_temp",
             "Motor_current=sys.current,MPG=sys.run,LPS=sys.warning"],
            unit=["TP2=bar,Reservoirs=bar"],
        ),
        {"sys.outlet_pressure": pytest.approx(0.8418), "sys.remote_pressure": pytest.approx(0.9338),
         "sys.liquid_temp": 53.6, "sys.current": 5.96, "sys.run": True, "sys.warning": False},
    ),
    # a household (UCI 235): semicolons, the time in two columns, ? for no value
    "household.txt": (
        "eastron-sdm630",
        Wishes(
            "Date+Time",
            ["Global_active_power=p.total,Global_reactive_power=q.total,Voltage=u.l1n,Global_intensity=i.l1"],
            form="%d/%m/%Y %H:%M:%S",
        ),
        {"p.total": None, "q.total": None, "u.l1n": None, "i.l1": None},
    ),
    # a pump with sensors without names: empty cells, a column of words that nothing takes
    "pump_sensors.csv": (
        "grundfos-cim",
        Wishes("timestamp", ["sensor_01=sys.liquid_temp,sensor_04=sys.speed,sensor_15=sys.flow"]),
        {"sys.liquid_temp": 46.2, "sys.speed": 21.6, "sys.flow": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAST)
def test_layouts_of_public_data_sets(name: str, catalog: Catalog) -> None:
    profile, wishes, values = LAST[name]
    table, summary = read(PUBLIC / name, wishes, catalog, profile=profile)
    assert summary.rows == 3
    assert not summary.outside
    assert rows(PUBLIC / name, table)[-1] == (summary.end, values)
