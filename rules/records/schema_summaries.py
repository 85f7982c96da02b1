"""The table of hourly summaries: what baselines and trends are worked out from. One row a series and hour."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, String, Table

from rules.records.schema import metadata

summaries = Table(
    "summaries",
    metadata,
    Column("site", String(128), primary_key=True),
    Column("asset", String(128), primary_key=True),
    Column("series", String(600), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("known", Integer, nullable=False),
    Column("mean", Float, nullable=False),
    Column("low", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("knots", JSON, nullable=False),
)
