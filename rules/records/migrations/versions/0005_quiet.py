"""What is not told on its own, and why: consequences, floods, alarms that keep coming back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns of the alarms, the table of floods, and the index that tells what was journalled lately."""
    op.add_column("alarms", sa.Column("quiet", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("alarms", sa.Column("tell_at", sa.BigInteger(), nullable=True))
    op.add_column("alarms", sa.Column("cause_id", sa.String(length=32), nullable=True))
    op.create_index("alarms_cause", "alarms", ["cause_id"], unique=False)
    op.create_index("journal_recorded", "journal", ["recorded_at"], unique=False)
    op.create_table(
        "floods",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=128), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("alarms", sa.Integer(), nullable=False),
        sa.Column("untold", sa.Integer(), nullable=False),
        sa.Column("worst", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("floods_site", "floods", ["site", "began_at"], unique=False)


def downgrade() -> None:
    """Refused: it would throw away why people were not told."""
    raise NotImplementedError("why people were not told is evidence: keep the database and run the newer program")
