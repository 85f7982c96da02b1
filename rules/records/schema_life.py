"""The tables of an alarm's life beside the alarm itself: habits, removals from service, delays that run."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from rules.records.schema import metadata

habits = Table(
    "habits",
    metadata,
    Column("site", String(128), primary_key=True),
    Column("rule", String(128), primary_key=True),
    Column("rule_index", Integer, primary_key=True, autoincrement=False),
    Column("asset", String(128), primary_key=True),
    Column("raised_at", BigInteger),
    Column("recent", JSON, nullable=False),
    Column("since", BigInteger),
    Column("last_at", BigInteger, nullable=False),
    Column("cycles", Integer, nullable=False),
    Column("fleeting", Integer, nullable=False),
    Column("episodes", Integer, nullable=False),
)

out_of_service = Table(
    "out_of_service",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", String(128), nullable=False),
    Column("asset", String(128), nullable=False),
    Column("alarm_id", String(32)),
    Column("ticket_id", String(32), nullable=False),
    Column("life_safety", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("begun_by", String(128), nullable=False),
    Column("ended_at", BigInteger),
    Column("ended_by", String(128), nullable=False),
)
Index("out_of_service_now", out_of_service.c.ended_at, out_of_service.c.asset)
Index("out_of_service_ticket", out_of_service.c.ticket_id)

delays = Table(
    "delays",
    metadata,
    Column("site", String(128), primary_key=True),
    Column("rule", String(128), primary_key=True),
    Column("rule_index", Integer, primary_key=True, autoincrement=False),
    Column("asset", String(128), primary_key=True),
    Column("phase", String(16), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("running", BigInteger),
    Column("stopped", BigInteger, nullable=False),
)
