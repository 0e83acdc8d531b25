"""What a venue takes of orders: types and times in force. What it does not take is denied before it rests."""

from __future__ import annotations

from brokerage.domain.orders.states import OrderType, TimeInForce

MATCHED_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT})
MATCHED_TIFS = frozenset({TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY})
