"""Tables of campaigns, promotions, trials and overrides."""

import sqlalchemy as sa

from worldservice.tables import BIG, metadata

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("world_id", sa.Text, primary_key=True),
    sa.Column("strategy_id", sa.Text, primary_key=True),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("campaign", sa.Text, nullable=False),
)

promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("promotion", sa.Text, nullable=False),
    sa.UniqueConstraint("world_id", "run_id", name="promotions_run"),
)
_OPEN = promotions.c.open.is_(True)
sa.Index(
    "promotions_open",
    promotions.c.world_id,
    promotions.c.strategy_id,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("trials_hash", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("variants", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("put_us", BIG, nullable=False),
    sa.UniqueConstraint("world_id", "strategy_id", "trials_hash", name="trials_hash"),
)

evaluation_overrides = sa.Table(
    "evaluation_overrides",
    metadata,
    sa.Column("sequence", BIG, primary_key=True, autoincrement=True),
    sa.Column("world_id", sa.Text, nullable=False),
    sa.Column("strategy_id", sa.Text, nullable=False),
    sa.Column("expires_us", BIG, nullable=False),
    sa.Column("override", sa.Text, nullable=False),
    sa.Index("evaluation_overrides_strategy", "world_id", "strategy_id", "sequence"),
)
