"""The whole life of an alarm: habits, out of service, delays that outlive a restart, values in the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _key() -> list[sa.Column[object]]:
    return [
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("rule", sa.String(length=128), nullable=False),
        sa.Column("rule_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("asset", sa.String(length=128), nullable=False),
    ]


def upgrade() -> None:
    """Make the tables and the columns."""
    op.add_column("alarms", sa.Column("inhibited", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("alarms", sa.Column("told_at", sa.BigInteger(), nullable=True))
    op.add_column("alarms", sa.Column("chattering_since", sa.BigInteger(), nullable=True))
    op.add_column("alarms", sa.Column("stale_at", sa.BigInteger(), nullable=True))
    op.add_column("alarms", sa.Column("removal_id", sa.String(length=32), nullable=True))
    op.add_column("journal", sa.Column("seen", sa.JSON(), server_default="{}", nullable=False))
    op.create_table(
        "habits",
        *_key(),
        sa.Column("raised_at", sa.BigInteger(), nullable=True),
        sa.Column("recent", sa.JSON(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("cycles", sa.Integer(), nullable=False),
        sa.Column("fleeting", sa.Integer(), nullable=False),
        sa.Column("episodes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site", "rule", "rule_index", "asset"),
    )
    op.create_table(
        "out_of_service",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("asset", sa.String(length=128), nullable=False),
        sa.Column("alarm_id", sa.String(length=32), nullable=True),
        sa.Column("ticket_id", sa.String(length=32), nullable=False),
        sa.Column("life_safety", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("begun_by", sa.String(length=128), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("out_of_service_now", "out_of_service", ["ended_at", "asset"], unique=False)
    op.create_index("out_of_service_ticket", "out_of_service", ["ticket_id"], unique=False)
    op.create_table(
        "delays",
        *_key(),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("running", sa.BigInteger(), nullable=True),
        sa.Column("stopped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "rule", "rule_index", "asset"),
    )


def downgrade() -> None:
    """Refused: it would throw away who took what out of service."""
    raise NotImplementedError("removals are evidence: keep the database and run the newer program")
