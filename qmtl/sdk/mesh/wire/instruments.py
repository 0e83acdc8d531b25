"""Instruments from messages: symbol properties as the brokerage tells them."""

from __future__ import annotations

from dataclasses import replace

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.margin_tiers import MarginTier, MarginTiers
from brokerage.domain.money import currency_scale, rate
from qmtl.broker.v1 import instrument_pb2 as instrumentpb
from qmtl.core.decimals import parse_decimal, to_scaled
from qmtl.wire.fields import known_enum
from qmtl.wire.instants import ns_from_proto

_CLASSES = {instrumentpb.AssetClass.Value(f"ASSET_CLASS_{entry.name}"): entry for entry in AssetClass}


def instrument_from_proto(message: instrumentpb.Instrument) -> Instrument:
    """An instrument for sizing and accounting here; bounds of orders are the brokerage's to check."""
    scale = currency_scale(message.quote_currency)
    tiers = [
        MarginTier(
            to_scaled(parse_decimal(tier.notional_cap, "margin_tiers.notional_cap"), scale),
            tier.leverage_max,
            rate(tier.maintenance_rate, "margin_tiers.maintenance_rate"),
            to_scaled(parse_decimal(tier.maintenance_amount, "margin_tiers.maintenance_amount"), scale),
        )
        for tier in message.margin_tiers
    ]
    made = instrument(
        message.symbol,
        base=message.base_currency,
        quote=message.quote_currency,
        tick=message.tick,
        lot=message.lot,
        multiplier=message.multiplier,
        quantity_places=message.quantity_places,
        calendar=message.calendar,
        listed_ns=ns_from_proto(message.listed_at, "listed_at") if message.HasField("listed_at") else 0,
        delisted_ns=ns_from_proto(message.delisted_at, "delisted_at") if message.HasField("delisted_at") else 0,
        asset_class=known_enum(_CLASSES, message.asset_class, "instrument.asset_class"),
    )
    return replace(made, margin_tiers=MarginTiers(tuple(tiers)))
