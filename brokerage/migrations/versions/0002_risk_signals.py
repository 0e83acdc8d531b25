"""The last prices of days, and what was put to the risk hub. Frozen: a later change is a revision of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "day_marks",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("preset", "session_id", "symbol")),
        sa.Column("day", _BIG, nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("preset", "session_id", "symbol", "day"),
    )
    op.create_table(
        "risk_puts",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("scope", "stage", "version")),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("changed_ns", _BIG, nullable=False),
        sa.Column("failed_since_ns", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("scope", "stage"),
    )
