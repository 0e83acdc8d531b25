"""Netted orders: their shares, and what each has got. Frozen: a later change is a revision of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Orders of before have no shares."""
    for name in ("shares", "booked"):
        op.add_column("orders", sa.Column(name, sa.Text(), nullable=False, server_default=""))
