"""What must still be unbound and released after a strategy ended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table; strategies canceled before are taken up as due, because nothing followed them up."""
    op.create_table(
        "strategy_releases",
        sa.Column("strategy_id", sa.Text, sa.ForeignKey("strategies.strategy_id"), primary_key=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("due_ns", _BIG, nullable=False),
        sa.Column("settle_ns", _BIG, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("strategy_releases_due", "strategy_releases", ["due_ns"])
    op.execute(
        "INSERT INTO strategy_releases (strategy_id, actor, due_ns, settle_ns, attempts, reason)"
        " SELECT strategy_id, subject, 0, 0, 0, '' FROM strategies WHERE state IN ('CANCELED', 'FAILED')"
    )
