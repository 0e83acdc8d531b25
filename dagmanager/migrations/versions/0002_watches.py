"""Open watches on tag queries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "watches",
        sa.Column("watch_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("renewed_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("watch_id"),
    )
    op.create_index("watches_key", "watches", ["key"])
