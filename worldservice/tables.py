"""What the tables of all subjects share. Times are integer microseconds since the epoch; sets and reports are JSON."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from controlbus.outbox.outbox import outbox_tables

metadata = sa.MetaData()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

outbox = outbox_tables(metadata)


def micros(instant: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def micros_or_none(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def instant_or_none(us: int | None) -> datetime | None:
    return None if us is None else instant(us)
