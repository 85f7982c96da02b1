"""Versions of rules, which of them raised an alarm, and the alarms of shadow rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and columns; alarms of before have no version."""
    for table in ("alarms", "journal"):
        op.add_column(table, sa.Column("rule_version", sa.String(length=16), nullable=False, server_default=""))
    op.create_table(
        "rule_versions",
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("asset_class", sa.String(length=128), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("seen_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("site", "rule", "version"),
    )
    op.create_table(
        "rule_starts",
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("site", "at"),
    )
    op.create_table(
        "shadow_alarms",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("shadow_of", sa.String(length=128), nullable=False),
        sa.Column("rule_version", sa.String(length=16), nullable=False),
        sa.Column("rule_index", sa.Integer(), nullable=False),
        sa.Column("asset", sa.String(length=128), nullable=False),
        sa.Column("asset_class", sa.String(length=128), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site", "rule", "rule_index", "asset", "raised_at", name="shadow_alarms_once"),
    )
    op.create_index("shadow_alarms_rule", "shadow_alarms", ["site", "rule", "raised_at"], unique=False)


def downgrade() -> None:
    """Refused: it would throw away which rule raised which alarm."""
    raise NotImplementedError("rule versions are evidence: keep the database and run the newer program")
