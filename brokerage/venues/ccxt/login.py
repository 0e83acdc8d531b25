"""What keeps a login from trading safely: clocks that are apart, rights that a key lacks or must not have.

Source of the rights: developers.binance.com, Wallet, GET /sapi/v1/account/apiRestrictions (weight 1, by address).
"""

from __future__ import annotations

from collections.abc import Mapping

from brokerage.venues.ccxt.dialects.dialect import rows
from brokerage.venues.plugs import ClockReading
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, outcomes

AHEAD_MS = 1_000  # exchanges refuse what was signed later than a second from now
RESOLUTION_MS: Mapping[str, int] = {"kraken": 1_000}
"""How coarse an exchange tells its time, where that is not in ms."""
TRADES: Mapping[str, str] = {"binance": "enableSpotAndMarginTrading", "binanceusdm": "enableFutures"}
"""The right that orders need, by the id of ccxt's class, where the exchange tells of rights."""
WITHDRAWS = "enableWithdrawals"


async def read_clock(at: Connection, window_ms: int) -> ClockReading:
    """How far the clock here is from the exchange's at least, and whether what is signed here is taken, and not later
    than the lease allows.

    Raises Unavailable (E_VENUE_UNREACHABLE), Exhausted (E_RATE_LIMITED).
    """
    sent_ms = at.now_ms()
    with outcomes(at.exchange.id):
        there_ms = int(await at.exchange.fetch_time())
    came_ms = at.now_ms()
    ahead_ms = sent_ms - there_ms - RESOLUTION_MS.get(at.exchange.id, 0)
    behind_ms = there_ms - came_ms
    if ahead_ms > AHEAD_MS:
        text = f"the clock here is {ahead_ms} ms ahead of the exchange's, want {AHEAD_MS} ms at most"
        return ClockReading(ahead_ms, text)
    if behind_ms > window_ms:
        text = f"the clock here is {behind_ms} ms behind the exchange's, want {window_ms} ms at most"
        return ClockReading(-behind_ms, text)
    return ClockReading(max(ahead_ms, 0) or min(-behind_ms, 0))


async def right_faults(at: Connection, *, live: bool) -> list[str]:
    """Rights that the key lacks for a venue that takes orders, and those that it must not have.

    Raises VenueRefused for a key that is not taken, Unavailable (E_VENUE_UNREACHABLE), Exhausted (E_RATE_LIMITED).
    """
    trades = TRADES.get(at.exchange.id)
    if trades is None:
        return []
    answer = await at.call(at.exchange.sapi_get_account_apirestrictions, {}, purpose=Purpose.RECONCILE)
    rights, found = rows([answer])[0], list[str]()
    if live and rights.get(trades) is not True:
        found.append(f"the key may not trade: {trades} is off at the exchange")
    if rights.get(WITHDRAWS) is not False:
        found.append(f"the key may withdraw: take {WITHDRAWS} away from it at the exchange")
    return found
