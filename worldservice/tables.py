"""What the tables of all subjects share. Times are integer microseconds since the epoch; sets and reports are JSON."""

import sqlalchemy as sa

from controlbus.outbox.outbox import outbox_tables

metadata = sa.MetaData()
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

outbox = outbox_tables(metadata)
