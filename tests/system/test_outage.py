"""Thirteen hours without a broker at the rate of the demonstration, in virtual time: every reading is accounted for."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.publisher import HISTORY
from tests.system.outage import BATCHES, Outage

log = logging.getLogger(__name__)
"""`pytest --log-cli-level=INFO` shows the figures."""
HOURS = 13


def put_in(path: Path) -> tuple[int, int]:
    """(batches, readings) that were ever put into a spool's file, by its ledger."""
    with closing(sqlite3.connect(path)) as sql:
        found: tuple[int, int] = sql.execute("SELECT sum(batches), sum(readings) FROM ledger").fetchone()
    return found


def check_order(outage: Outage) -> None:
    """History comes marked and in order, and no live batch waits for it."""
    history = [item for item in outage.durable if item.hist]
    assert all(earlier.seq < later.seq for earlier, later in pairwise(history))
    assert all(item.at - item.made >= HISTORY for item in history)
    live = [item for item in outage.durable if not item.hist and item.made > outage.back]
    assert len(live) > 10
    assert max(item.at - item.made for item in live) < 1.0
    # live went on all the while, between the first of history and its last
    between = [item for item in live if history[0].at < item.at < history[-1].at]
    assert len(between) >= BATCHES * (history[-1].at - history[0].at) - 3


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.looptime(noop_cycles=0)
async def test_a_night_without_a_broker_loses_nothing(tmp_path: Path) -> None:
    outage = Outage(tmp_path, limit=64_000_000)
    drained = await outage.run(HOURS)
    publisher, spool, metrics = outage.publisher, outage.spool, outage.ingest.metrics()
    totals = await outage.store.totals()
    assert publisher.last_seq > HOURS * 3600 * BATCHES
    assert publisher.sent == totals.readings == sum(item.readings for item in outage.durable)
    assert sorted(item.seq for item in outage.durable) == list(range(1, publisher.last_seq + 1))
    assert (metrics["gaps"], metrics["batches_again"], metrics["readings_replayed"], metrics["dead_letters"]) == (
        0,
    ) * 4
    assert (spool.shed, publisher.shed, spool.batches, spool.bytes, spool.problem) == (0, 0, 0, 0, "")
    assert put_in(spool.path) == (publisher.last_seq, publisher.sent)
    check_order(outage)
    assert drained < 1200
    log.info("%s", outage.figures(drained))


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.looptime(noop_cycles=0)
async def test_a_spool_that_is_too_small_for_the_night_accounts_for_what_it_gave_up(tmp_path: Path) -> None:
    outage = Outage(tmp_path, limit=1_000_000)
    drained = await outage.run(HOURS / 4)
    publisher, spool = outage.publisher, outage.spool
    totals = await outage.store.totals()
    assert spool.shed > 0
    assert publisher.sent == totals.readings + spool.shed
    assert put_in(spool.path) == (publisher.last_seq, publisher.sent)
    # what is missing is one stretch: the oldest of the outage, nothing before it and nothing after
    (gap,) = outage.ingest.gaps()
    seqs = sorted(item.seq for item in outage.durable)
    assert seqs == [seq for seq in range(1, publisher.last_seq + 1) if not gap.first <= seq <= gap.last]
    assert gap.first == round(60 * BATCHES) + 1
    assert outage.ingest.metrics()["batches_again"] == 0
    check_order(outage)
    log.info("%s", outage.figures(drained))
