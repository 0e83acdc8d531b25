"""ReplayService: order lists over sealed data, one at a time and off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.order_list import OrderListReplay
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.market.context import MarketContext
from brokerage.replay.allowance import Allowance
from brokerage.replay.data import SealedBars, SealedData
from brokerage.replay.wire import Replay, fill_events, replay_from_proto, replies
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.broker.v1 import replay_service_pb2_grpc as replayrpc
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import refused
from qmtl.rpc.auth.call import require_stated
from qmtl.rpc.chunks import gathered
from qmtl.stats.trades import closed_trips

BARS_MAX = 4_000_000
"""Bars of all symbols of one replay: some 200 bytes each while they are turned into exact integers."""

LOOKS_MAX = 4 * BARS_MAX
"""Looks at closes and open orders of one replay: each bar with a bracket's exits open, and some minutes at most."""


class ReplayService(replayrpc.ReplayServiceServicer):
    """Order lists as evaluations replay them."""

    def __init__(self, market: MarketContext, sealed: SealedData) -> None:
        self._market = market
        self._sealed = sealed
        self._turn = asyncio.Semaphore(1)

    async def ReplayOrders(
        self, request_iterator: AsyncIterator[replayservicepb.ReplayOrdersRequest], context: object
    ) -> AsyncIterator[replayservicepb.ReplayOrdersResponse]:
        said = require_stated()
        message = await gathered(request_iterator, said, replayservicepb.OrderReplay)
        said.check_worlds([message.world_id])
        async with self._turn:
            asked = await asyncio.to_thread(replay_from_proto, message, self._market)
            bars = await self._bars(asked)
            allowance = Allowance(LOOKS_MAX)
            parts = await allowance.in_thread(lambda: run(self._market, asked, bars, allowance))
        for part in parts:
            yield part

    async def _bars(self, asked: Replay) -> list[SealedBars]:
        found: list[SealedBars] = []
        for fingerprint in asked.fingerprints:
            room = BARS_MAX - sum(one.rows for one in found)
            found.append(await self._sealed.read(fingerprint, asked.span, room))
        return found


def run(
    market: MarketContext, asked: Replay, bars: Sequence[SealedBars], allowance: Allowance
) -> list[replayservicepb.ReplayOrdersResponse]:
    """What becomes of an order list over bars, in an account of its own.

    Raises InvalidRequest (E_CURRENCIES; E_FIELD: two fingerprints of one symbol; E_TOO_LARGE), NotFound
    (E_PROFILE_TABLE_MISSING), Unavailable (E_CANCELLED_INSIDE).
    """
    account, profile = asked.account, market.profile_of(asked.account)
    known: Mapping[str, Instrument] = {one.instrument.symbol: one.instrument for one in bars}
    if len(known) < len(bars):
        raise refused("E_FIELD", "dataset_fingerprints", len(bars), "one for each symbol")
    for instrument in known.values():
        profile.require(instrument)
        if instrument.quote != account.base_currency:
            raise refused(
                "E_CURRENCIES", "symbols", f"{instrument.symbol} in {instrument.quote}", account.base_currency
            )
    cash = {account.base_currency: from_scaled(account.starting_cash, currency_scale(account.base_currency))}
    simulated = SimulatedAccount(profile, cash, instruments=known.values(), owner=asked.owner)
    timeline = Timeline(one.columns() for one in bars)
    replay = OrderListReplay(simulated, timeline, asked.acts, account.base_currency, spend=allowance.spend)
    found = replay.run(asked.equity_after_ns)
    multipliers = {symbol: instrument.multiplier for symbol, instrument in known.items()}
    trips = closed_trips(fill_events(found, known), account.base_currency, multipliers)
    return list(replies(found, trips, known, account.base_currency))
