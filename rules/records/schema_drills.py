"""The tables of drills and impairments, each with its journal, which is append-only."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from rules.records.schema import Serial, metadata

drills = Table(
    "drills",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", String(128), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("scope", JSON, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("from_at", BigInteger, nullable=False),
    Column("until_at", BigInteger, nullable=False),
    Column("declared_by", String(128), nullable=False),
    Column("declared_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("ended_by", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Index("drills_until", "site", "until_at"),
)

impairments = Table(
    "impairments",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("scope", JSON, nullable=False),
    Column("what", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", String(128), nullable=False),
    Column("measures", Text, nullable=False),
    Column("ticket_id", String(32)),
    Column("suppress", JSON, nullable=False),
    Column("rounds_every", Integer, nullable=False),
    Column("round_due", BigInteger),
    Column("last_round", BigInteger),
    Column("missed", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("opened_by", String(128), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("told_level", Integer, nullable=False),
    Column("tell_at", BigInteger),
    Column("restored_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("version", Integer, nullable=False),
    Index("impairments_state", "site", "state"),
)


def _journal(name: str) -> Table:
    """Who did what when to one of them."""
    return Table(
        name,
        metadata,
        Column("id", Serial, primary_key=True, autoincrement=True),
        Column("subject", String(32), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("actor", String(128), nullable=False),
        Column("event", String(32), nullable=False),
        Column("state", String(16), nullable=False),
        Column("note", Text, nullable=False),
        Index(f"{name}_subject", "subject", "id"),
    )


drill_journal = _journal("drill_journal")
impairment_journal = _journal("impairment_journal")
