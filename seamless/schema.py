"""The metadata every table of seamless is registered in, and the two column types they share."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()


def text_column(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def integer_column(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)
