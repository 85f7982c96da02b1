"""The tables of the fire linkage: its runs as they stand, and the chain of what is over and was said about it.

A run is kept whole as JSON (rules/linkage/run.py), for it is its own record; the columns beside it are for finding it.
The chain is append-only: triggers refuse to change or delete its rows. `previous` is unique, so that it can't fork.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from rules.records.schema import Serial, metadata

linkage_runs = Table(
    "linkage_runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", String(128), nullable=False),
    Column("panel", String(128), nullable=False),
    Column("zone", Integer, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("t0", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("held", Boolean, nullable=False),
    Column("sealed", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("run", JSON, nullable=False),
    Index("linkage_runs_open", "site", "held"),
)

linkage_chain = Table(
    "linkage_chain",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("site", String(128), nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("author", String(128), nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("site", "previous", name="linkage_chain_line"),
    Index("linkage_chain_run", "run_id", "id"),
)
