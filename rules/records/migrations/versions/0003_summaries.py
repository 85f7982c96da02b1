"""Hourly summaries of series, for baselines and trends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "summaries",
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("asset", sa.String(length=128), nullable=False),
        sa.Column("series", sa.String(length=600), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("mean", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.Column("knots", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("site", "asset", "series", "start"),
    )


def downgrade() -> None:
    """Take it away: what it holds can be summed up again from the readings."""
    op.drop_table("summaries")
