"""The tables of the records database, for SQLite and PostgreSQL alike. Every instant is an integer, ms since 1970 UTC.

The tables of an alarm's life beside itself are in schema_life. The migrations in rules/records/migrations make them
all; a test holds both together. The tables of APPEND_ONLY are that: triggers refuse to change or delete their rows.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

metadata = MetaData()

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database gives out; SQLite numbers only INTEGER keys by itself."""


def _name() -> String:
    """A site, asset, rule, channel or user name."""
    return String(128)


alarms = Table(
    "alarms",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", _name(), nullable=False),
    Column("rule", _name(), nullable=False),
    Column("rule_index", Integer, nullable=False),
    Column("rule_version", String(16), nullable=False, server_default=""),
    Column("asset", _name(), nullable=False),
    Column("asset_class", _name(), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("raises", String(16), nullable=False),
    Column("latch", Boolean, nullable=False),
    Column("shelvable", Boolean, nullable=False),
    Column("historical", Boolean, nullable=False),
    Column("told", Boolean, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("state", String(32), nullable=False),
    Column("suppression", String(32), nullable=False),
    Column("raise_count", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("raised_at", BigInteger),
    Column("cleared_at", BigInteger),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", _name(), nullable=False),
    Column("shelved_until", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("guidance_zh", Text, nullable=False),
    Column("guidance_en", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("ticket_id", String(32)),
    Column("inhibited", Boolean, nullable=False, server_default=false()),
    Column("told_at", BigInteger),
    Column("chattering_since", BigInteger),
    Column("stale_at", BigInteger),
    Column("removal_id", String(32)),
    Column("quiet", String(16), nullable=False, server_default=""),
    Column("tell_at", BigInteger),
    Column("cause_id", String(32)),
    Column("drill", String(32)),
)
Index(
    "alarms_one_live",
    alarms.c.site,
    alarms.c.rule,
    alarms.c.rule_index,
    alarms.c.asset,
    unique=True,
    sqlite_where=alarms.c.live == true(),
    postgresql_where=alarms.c.live == true(),
)
Index("alarms_live", alarms.c.live, alarms.c.id)
Index("alarms_asset", alarms.c.asset, alarms.c.id)
Index("alarms_cause", alarms.c.cause_id)

journal = Table(
    "journal",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("alarm_id", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", _name(), nullable=False),
    Column("event", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("suppression", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("judgement", String(512), unique=True),
    Column("rule_version", String(16), nullable=False, server_default=""),
    Column("seen", JSON, nullable=False, server_default="{}"),
)
Index("journal_alarm", journal.c.alarm_id, journal.c.id)
Index("journal_recorded", journal.c.recorded_at)

tickets = Table(
    "tickets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", _name(), nullable=False),
    Column("alarm_id", String(32), unique=True),
    Column("asset", _name(), nullable=False),
    Column("asset_class", _name(), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", String(32), nullable=False),
    Column("assignee", _name(), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("assigned_at", BigInteger),
    Column("accepted_at", BigInteger),
    Column("arrived_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("verified_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("version", Integer, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("guidance_zh", Text, nullable=False),
    Column("guidance_en", Text, nullable=False),
)
Index("tickets_state", tickets.c.state, tickets.c.id)
Index("tickets_asset", tickets.c.asset, tickets.c.id)

ticket_journal = Table(
    "ticket_journal",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("ticket_id", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", _name(), nullable=False),
    Column("event", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("note", Text, nullable=False),
)
Index("ticket_journal_ticket", ticket_journal.c.ticket_id, ticket_journal.c.id)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("site", _name(), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("channel", _name(), nullable=False),
    Column("alarm_id", String(32)),
    Column("ticket_id", String(32)),
    Column("priority", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("key", String(256), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("lease_owner", String(64), nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
)
Index("outbox_due", outbox.c.state, outbox.c.due_at)
Index("outbox_alarm", outbox.c.alarm_id)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("outbox_id", BigInteger, nullable=False),
    Column("channel", _name(), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("error", Text, nullable=False),
)
Index("deliveries_outbox", deliveries.c.outbox_id)

floods = Table(
    "floods",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", _name(), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("told_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("alarms", Integer, nullable=False),
    Column("untold", Integer, nullable=False),
    Column("worst", Integer, nullable=False),
)
Index("floods_site", floods.c.site, floods.c.began_at)

cursors = Table(
    "cursors",
    metadata,
    Column("site", _name(), primary_key=True),
    Column("gateway", _name(), primary_key=True),
    Column("boot", String(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("assets", JSON, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("name", _name(), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("password_hash", String(256), nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("name", _name(), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    UniqueConstraint("hash", name="tokens_hash"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("actor", _name(), nullable=False),
    Column("action", String(64), nullable=False),
    Column("object", String(128), nullable=False),
    Column("detail", Text, nullable=False),
)

commands = Table(
    "commands",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("site", _name(), nullable=False),
    Column("gateway", _name(), nullable=False),
    Column("asset", _name(), nullable=False),
    Column("point", _name(), nullable=False),
    Column("value", JSON, nullable=False),
    Column("ttl", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", _name(), nullable=False),
    Column("approved_by", _name(), nullable=False),
    Column("state", String(32), nullable=False),
    Column("last_step", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("approved_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("due_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
)
Index("commands_due", commands.c.state, commands.c.due_at)
Index("commands_asset", commands.c.asset, commands.c.id)

command_steps = Table(
    "command_steps",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("command_id", String(32), nullable=False),
    Column("step", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("value", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    UniqueConstraint("command_id", "step", "at", name="command_steps_once"),
)

APPEND_ONLY = ("journal", "ticket_journal", "audit", "command_steps", "drill_journal", "impairment_journal")
"""Tables whose rows nobody may change or delete."""
