"""When entries of activations were promoted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column. What is live already counts from its last change, the earliest instant that is known."""
    op.add_column("activation_entries", sa.Column("live_since_us", _BIG, nullable=True))
    entries = sa.table(
        "activation_entries",
        sa.column("live_since_us", _BIG),
        sa.column("changed_us", _BIG),
        sa.column("effective_mode", sa.Text()),
        sa.column("active", sa.Boolean()),
        sa.column("drain", sa.Boolean()),
    )
    live = sa.and_(entries.c.effective_mode == "LIVE", entries.c.active, sa.not_(entries.c.drain))
    op.execute(sa.update(entries).where(live).values(live_since_us=entries.c.changed_us))
