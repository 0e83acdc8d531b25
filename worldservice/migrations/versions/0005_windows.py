"""Windows of an activation, and what the audit log keeps of each change of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns, and the index that finds a world's changes."""
    op.add_column("activations", sa.Column("windows", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("audit_log", sa.Column("record", sa.LargeBinary(), nullable=True))
    op.add_column("audit_log", sa.Column("record_revision", _BIG, nullable=True))
    op.add_column("audit_log", sa.Column("record_whole", sa.Boolean(), nullable=True))
    kept = sa.text("record IS NOT NULL")
    op.create_index(
        "audit_log_records", "audit_log", ["world_id", "sequence"], sqlite_where=kept, postgresql_where=kept
    )
