"""What becomes of an order list over bars: pure of transport, it runs in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.order_list import OrderListReplay
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.market.context import MarketContext
from brokerage.replay.allowance import Allowance
from brokerage.replay.bars import SealedBars
from brokerage.replay.wire import Replay, fill_events, replies
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.decimals import from_scaled
from qmtl.core.errors import refused
from qmtl.stats.trades import closed_trips


def run(
    market: MarketContext, asked: Replay, bars: Sequence[SealedBars], allowance: Allowance
) -> list[replayservicepb.ReplayOrdersResponse]:
    """What becomes of an order list over bars, in an account of its own, while companies do what the settings say.

    Raises InvalidRequest (E_CURRENCIES; E_FIELD: two fingerprints of one symbol, or an action that the bars contradict;
    E_TOO_LARGE), NotFound (E_PROFILE_TABLE_MISSING).
    """
    account = asked.account
    profile = market.profile_of(account)
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
    until_ns = max((one.span_ns[1] for one in bars if one.span_ns is not None), default=0)
    of = market.actions
    actions = [action for one in bars for action in one.beside(of.get(one.instrument.symbol, ()), until_ns)]
    replay = OrderListReplay(
        simulated, timeline, asked.acts, account.base_currency, spend=allowance.spend, actions=actions,
        opening_ns=asked.opening_ns,
    )  # fmt: skip
    found = replay.run(asked.equity_after_ns)
    multipliers = {symbol: instrument.multiplier for symbol, instrument in known.items()}
    trips = closed_trips(fill_events(found, known), account.base_currency, multipliers, found.steps)
    return list(replies(found, trips, bars, account.base_currency, profile, asked.opening_ns))
