"""The limits of a world ride in its fence. Old rows, and those old peers add, have none."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add what is new; nothing that is there changes its meaning."""
    op.add_column("world_fences", sa.Column("limits", sa.Text(), nullable=False, server_default="{}"))
