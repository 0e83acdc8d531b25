"""Matching refuses an order without the price of its type; nothing is approximated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brokerage.domain.models.fills.matching import match
from brokerage.domain.models.fills.outcome import require_price
from brokerage.domain.models.slippage.model import NO_SLIPPAGE
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderType
from qmtl.core.errors import InvalidRequest
from tests.brokerage.domain.models.test_fills import bar
from tests.brokerage.domain.orders.test_record import working


@pytest.mark.parametrize("kind", [kind for kind in OrderType if kind is not OrderType.MARKET])
def test_a_type_with_a_price_needs_it(kind: OrderType) -> None:
    unpriced: OrderRecord = replace(working(kind=kind), limit=None, stop=None)
    with pytest.raises(InvalidRequest, match="E_PRICE_REQUIRED"):
        match(unpriced, bar(1, 100, 101, 99, 100), NO_SLIPPAGE, -1)
    assert require_price(0) == 0
