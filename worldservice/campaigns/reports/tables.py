"""The table of divergence reports."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

divergence_reports = sa.Table(
    "divergence_reports",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("report_id", sa.Text, nullable=False),
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("report", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("world_id", "strategy_id", "report_id", name="divergence_reports_id"),
)
