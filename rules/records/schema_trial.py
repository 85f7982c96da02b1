"""The tables of what is tried and what was: every version of every rule, and the alarms of shadow rules."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from rules.records.schema import metadata

rule_versions = Table(
    "rule_versions",
    metadata,
    Column("site", String(128), primary_key=True),
    Column("rule", String(128), primary_key=True),
    Column("version", String(16), primary_key=True),
    Column("asset_class", String(128), nullable=False),
    Column("text", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("seen_by", String(128), nullable=False),
)

rule_starts = Table(
    "rule_starts",
    metadata,
    Column("site", String(128), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("versions", JSON, nullable=False),
)

shadow_alarms = Table(
    "shadow_alarms",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", String(128), nullable=False),
    Column("rule", String(128), nullable=False),
    Column("shadow_of", String(128), nullable=False),
    Column("rule_version", String(16), nullable=False),
    Column("rule_index", Integer, nullable=False),
    Column("asset", String(128), nullable=False),
    Column("asset_class", String(128), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
    Column("cleared_at", BigInteger),
    Column("recorded_at", BigInteger, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    UniqueConstraint("site", "rule", "rule_index", "asset", "raised_at", name="shadow_alarms_once"),
)
Index("shadow_alarms_rule", shadow_alarms.c.site, shadow_alarms.c.rule, shadow_alarms.c.raised_at)
