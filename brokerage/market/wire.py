"""Instruments: values to messages."""

from __future__ import annotations

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.symbols import Source
from brokerage.domain.money import RATE_SCALE, money_text
from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.wire.instants import ns_to_proto


def instrument_to_proto(instrument: Instrument, venue: str, source: Source) -> instrumentpb.Instrument:
    """An instrument at a venue, with where its properties are from."""
    return instrumentpb.Instrument(
        venue=venue,
        symbol=instrument.symbol,
        asset_class=f"ASSET_CLASS_{instrument.asset_class.name}",
        base_currency=instrument.base,
        quote_currency=instrument.quote,
        tick=format_decimal(instrument.price_decimal(instrument.tick)),
        lot=format_decimal(instrument.quantity_decimal(instrument.lot)),
        multiplier=format_decimal(instrument.multiplier),
        quantity_min=_bound(instrument, instrument.quantity_min),
        quantity_max=_bound(instrument, instrument.quantity_max),
        notional_min=_notional(instrument, instrument.notional_min),
        notional_max=_notional(instrument, instrument.notional_max),
        source=f"INSTRUMENT_SOURCE_{source.name}",
        quantity_places=instrument.quantity_scale,
        calendar=instrument.calendar,
        listed_at=ns_to_proto(instrument.listed_ns) if instrument.listed_ns else None,
        delisted_at=ns_to_proto(instrument.delisted_ns) if instrument.delisted_ns else None,
        margin_tiers=[
            instrumentpb.MarginTier(
                notional_cap=money_text(instrument.quote, tier.notional_cap),
                leverage_max=tier.leverage_max,
                maintenance_rate=format_decimal(from_scaled(tier.rate, RATE_SCALE)),
                maintenance_amount=money_text(instrument.quote, tier.amount),
            )
            for tier in instrument.margin_tiers.tiers
        ],
    )


def _bound(instrument: Instrument, quantity: int) -> str:
    return format_decimal(instrument.quantity_decimal(quantity)) if quantity else ""


def _notional(instrument: Instrument, amount: int) -> str:
    return money_text(instrument.quote, amount) if amount else ""
