"""The most of a sector that an account may hold: each sector by itself, and one more for all that nobody told."""

from __future__ import annotations

import pytest

from brokerage.domain.accounts.limits import AccountLimits
from brokerage.domain.accounts.position import Position
from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.money import RATE_ONE, rate
from brokerage.domain.orders.order import SizedOrder
from brokerage.domain.risk.account_limits import account_limits
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.context import context_of
from tests.brokerage.samples import OWNER, order

DOLLAR = 10**8
TRADED = {
    symbol: instrument(symbol, base=symbol, quote="USD", price_places=2, sector=sector)
    for symbol, sector in (("OIL", "energy"), ("GAS", "energy"), ("CHIP", "tech"), ("NEW", ""))
}


@pytest.mark.parametrize(
    ("held", "symbol", "quantity", "said"),
    [
        ("OIL", "CHIP", 11, ""),
        ("OIL", "GAS", 1, ""),  # 1,100 of 11,000
        ("OIL", "GAS", 2, "net exposure in sector energy 1200 USD would be above sector_max 0.1 times"),
        ("OIL", "NEW", 11, ""),
        ("OIL", "NEW", 12, "net exposure in sector ? 1200 USD would be above sector_max 0.1 times"),
        ("GONE", "CHIP", 10, ""),
        ("GONE", "NEW", 1, "net exposure in sector ?: a part cannot be valued in USD"),  # it is of no known sector
    ],
)
def test_a_sector_is_held_to_its_share_of_the_equity(held: str, symbol: str, quantity: int, said: str) -> None:
    view = AccountView(margin(10, "0"), Instruments(TRADED.values()), "USD", {"USD": 10_000 * DOLLAR})
    view.account_limits = AccountLimits(sector_max=rate("0.1"))
    view.marks = {one: Mark(100_00, 1) for one in (*TRADED, "GONE")}
    known = TRADED.get(held) or instrument("GONE", base="GONE", quote="USD", price_places=2)
    view.book(OWNER).ledger.restore(known, Position(10, 1_000 * DOLLAR))
    wanted = order("buy", quantity=quantity, symbol=symbol)
    now = context_of(view, wanted, TRADED[symbol], 1, RATE_ONE)
    refused = account_limits(wanted, SizedOrder(quantity, None, None, None, 0), now)
    assert ("" if refused is None else refused.message)[: len(said) or None] == said
