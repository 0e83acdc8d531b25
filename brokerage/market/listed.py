"""Instruments as venues list them, kept in the store: every process reads books by them, whoever asked the venue."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.market.margin_tiers import MarginTier, MarginTiers
from qmtl.core.decimals import format_decimal

_ROW = t.venue_instruments.c
_NUMBERS = (
    *("price_scale", "quantity_scale", "tick", "lot", "quantity_min", "quantity_max", "notional_min", "notional_max"),
)
_TIMES = ("listed_ns", "delisted_ns")
_WORDS = ("base", "quote", "sector", "calendar")


def load_listed(conn: Connection, venue: str) -> list[Instrument]:
    """What a venue lists, in order of symbol."""
    rows = conn.execute(sa.select(t.venue_instruments).where(_ROW.venue == venue).order_by(_ROW.symbol))
    return [_instrument_of(row.symbol, row.properties) for row in rows]


def learnt_ns(conn: Connection, venue: str) -> int:
    """When a venue's list last changed; 0: it is not known."""
    found: int | None = conn.scalar(sa.select(sa.func.max(_ROW.learnt_ns)).where(_ROW.venue == venue))
    return found or 0


def learn(conn: Connection, venue: str, listed: Iterable[Instrument], now_ns: int) -> list[str]:
    """Keep what a venue lists; what has changed, as sentences.

    Books are kept in the places of quantities that an instrument had when it was first listed: one that has come to
    need more of them stays as it was, and that is told. What is listed no more stays too: something may be held in it.
    """
    known = {one.symbol: one for one in load_listed(conn, venue)}
    told: list[str] = []
    for one in listed:
        before = known.get(one.symbol)
        if before == one:
            continue
        if before is not None and before.quantity_scale != one.quantity_scale:
            told.append(
                f"{one.symbol} at {venue}: quantities have {one.quantity_scale} places now, and are kept at "
                f"{before.quantity_scale}: nothing of it was changed"
            )
            continue
        same = sa.and_(_ROW.venue == venue, _ROW.symbol == one.symbol)
        values = {"properties": _text_of(one), "learnt_ns": now_ns}
        if before is None:
            conn.execute(sa.insert(t.venue_instruments).values(venue=venue, symbol=one.symbol, **values))
        else:
            conn.execute(sa.update(t.venue_instruments).where(same).values(values))
            told.append(f"{one.symbol} at {venue} has changed: {', '.join(_changes(before, one))}")
    return told


def _changes(before: Instrument, after: Instrument) -> list[str]:
    pairs = {
        "tick": [format_decimal(one.price_decimal(one.tick)) for one in (before, after)],
        "lot": [format_decimal(one.quantity_decimal(one.lot)) for one in (before, after)],
        "least notional": [format_decimal(one.money_decimal(one.notional_min)) for one in (before, after)],
    }
    found = [f"{name} {old} to {new}" for name, (old, new) in pairs.items() if old != new]
    if before.margin_tiers != after.margin_tiers:
        found.append("its margin tiers")
    return found or ["its other properties"]


def _text_of(one: Instrument) -> str:
    values: dict[str, str | int] = {name: getattr(one, name) for name in (*_NUMBERS, *_TIMES, *_WORDS)}
    tiers = [astuple(tier) for tier in one.margin_tiers.tiers]
    return json.dumps(
        {**values, "asset_class": one.asset_class.value, "multiplier": str(one.multiplier), "tiers": tiers}
    )


def _instrument_of(symbol: str, properties: str) -> Instrument:
    values = json.loads(properties)
    asset_class, multiplier = AssetClass(values.pop("asset_class")), Decimal(values.pop("multiplier"))
    tiers = MarginTiers(tuple(MarginTier(*row) for row in values.pop("tiers")))
    return Instrument(symbol=symbol, margin_tiers=tiers, asset_class=asset_class, multiplier=multiplier, **values)
