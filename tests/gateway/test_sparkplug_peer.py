"""What the specification's own JavaScript library encodes we read, and what we encode it reads."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable

import pytest

from gateway import sparkplug_payload as sp
from gateway.sparkplug_payload import Metric, Payload, decode, encode, rebirth
from gateway.sparkplug_session import Session, State, Update
from tests.services.require import PEERS, require_peer

Asker = Callable[[list[dict[str, object]]], list[dict[str, object]]]
AT = 1_700_000_000_123


@pytest.fixture
def ask() -> Asker:
    """Hand lines to the peer and get its lines."""
    node = require_peer("sparkplug-payload")

    def run(lines: list[dict[str, object]]) -> list[dict[str, object]]:
        asked = "".join(json.dumps(line) + "\n" for line in lines)
        done = subprocess.run(
            [node, "sparkplug.js"], input=asked, capture_output=True, text=True, cwd=PEERS, timeout=30, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def read(answer: dict[str, object]) -> Payload:
    return decode(base64.b64decode(str(answer["bytes"])))


TYPED = [
    ("Int8", sp.INT8, -128), ("Int16", sp.INT16, -32_768), ("Int32", sp.INT32, -2_147_483_648),
    ("Int64", sp.INT64, -9_007_199_254_740_991), ("UInt8", sp.UINT8, 255), ("UInt16", sp.UINT16, 65_535),
    ("UInt32", sp.UINT32, 4_294_967_295), ("UInt64", sp.UINT64, 9_007_199_254_740_991), ("Float", sp.FLOAT, 0.5),
    ("Double", sp.DOUBLE, -0.1), ("Boolean", sp.BOOLEAN, True), ("String", sp.STRING, "水泵"),
    ("Text", sp.TEXT, ""), ("UUID", sp.UUID, "c9a6"), ("DateTime", sp.DATETIME, AT),
]  # fmt: skip


def test_we_read_every_type_of_theirs(ask: Asker) -> None:
    metrics = [{"name": name, "type": name, "value": value, "timestamp": AT} for name, _, value in TYPED]
    (found,) = ask([{"encode": {"timestamp": AT, "seq": 255, "metrics": metrics}}])
    payload = read(found)
    assert (payload.timestamp, payload.seq) == (AT, 255)
    assert [(item.name, item.datatype, item.value) for item in payload.metrics] == TYPED
    assert {item.timestamp for item in payload.metrics} == {AT}


def test_we_read_flags_properties_and_skip_what_is_no_value(ask: Asker) -> None:
    quality = {"Quality": {"type": "Int32", "value": 500}, "engUnit": {"type": "String", "value": "bar"}}
    table = {"numOfColumns": 1, "types": ["Int8"], "columns": ["a"], "rows": [[1]]}
    metrics = [
        {"name": "a", "alias": 7, "type": "Double", "value": 1.5, "isHistorical": True, "properties": quality},
        {"name": "b", "type": "Int32", "value": None},
        {"name": "c", "type": "DataSet", "value": table},
        {"name": "d", "type": "Float", "value": 3.0, "isTransient": True, "metadata": {"description": "x"}},
    ]
    (found,) = ask([{"encode": {"timestamp": AT, "seq": 0, "metrics": metrics}}])
    first, second, third, fourth = read(found).metrics
    assert (first.alias, first.is_historical, first.quality, first.value) == (7, True, sp.STALE, 1.5)
    assert (second.is_null, second.value) == (True, None)
    assert (third.value, third.is_null) == (None, False)
    assert (fourth.value, fourth.quality, fourth.is_historical) == (3.0, sp.GOOD, False)


def test_a_session_of_theirs(ask: Asker) -> None:
    bdseq = {"name": "bdSeq", "type": "Int64", "value": 3}
    control = {"name": "Node Control/Rebirth", "type": "Boolean", "value": False}
    level = {"name": "Level", "type": "Int16", "value": -5, "alias": 1}
    nbirth, dbirth, data, death = (
        read(found)
        for found in ask(
            [
                {"encode": {"timestamp": AT, "seq": 0, "metrics": [bdseq, control]}},
                {"encode": {"timestamp": AT, "seq": 1, "metrics": [level]}},
                {"encode": {"timestamp": AT, "seq": 2, "metrics": [{"alias": 1, "type": "Int16", "value": -6}]}},
                {"encode": {"timestamp": AT, "metrics": [bdseq]}},
            ]
        )
    )
    session = Session({"M"}, 60.0, 0.0)
    session.take("NBIRTH", "", nbirth, 0)
    session.take("DBIRTH", "M", dbirth, 0)
    assert session.state is State.BORN
    (told,) = session.take("DDATA", "M", data, 1)
    assert isinstance(told, Update)
    assert [(item.name, item.value) for item in told.metrics] == [("Level", -6)]
    session.take("NDEATH", "", death, 2)
    assert session.state is State.DEAD


def test_they_read_ours(ask: Asker) -> None:
    ours = Payload(AT, 9, tuple(Metric(name, value, kind, timestamp=AT) for name, kind, value in TYPED))
    command, values = ask(
        [
            {"decode": base64.b64encode(rebirth(AT)).decode()},
            {"decode": base64.b64encode(encode(ours)).decode()},
        ]
    )
    assert command == {
        "timestamp": AT,
        "metrics": [{"name": "Node Control/Rebirth", "type": "Boolean", "value": True, "timestamp": AT}],
    }
    assert values["seq"] == 9
    read_back = [(item["name"], item["type"], item["value"]) for item in values["metrics"]]  # type: ignore[attr-defined]
    assert read_back == [(name, name, value) for name, _, value in TYPED]
