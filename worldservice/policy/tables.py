"""The table of policy versions."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_us", BIG, nullable=False),
    sa.Column("valid_from_us", BIG, nullable=True),
    sa.UniqueConstraint("world_id", "checksum", name="policies_checksum"),
)
