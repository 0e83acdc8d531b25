"""Order lists over bars while companies act: what the backtest that made them was, to the digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal as D
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.accounts.account import Account, AccountType, TradingState
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.order_list import Cancel, acts_of
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.corporate import CorporateAction, Delisting, Dividend, PriceAdjustment, Split
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.orders.order import Order, Side
from brokerage.market.context import MarketContext
from brokerage.replay.allowance import Allowance
from brokerage.replay.bars import SealedBars
from brokerage.replay.run import run
from brokerage.replay.wire import Replay
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.core.errors import InvalidRequest
from qmtl.core.volumes import VolumeUnit
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.simulated import order_list
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.reports.trade_frame import local_report
from tests.brokerage.samples import OWNER
from tests.sdk.execution import test_fast_path as fast_path
from tests.sdk.execution.test_fast_path import MARGINS, SPOTS, Case
from tests.sdk.market import START_NS, STEP_NS
from tests.support.shared.examples import examples

Parts = list[replayservicepb.ReplayOrdersResponse]


def sealed(bars: Bars, adjustment: PriceAdjustment | None = PriceAdjustment.RAW) -> SealedBars:
    columns = {"open_time": pa.array(bars.open_ns, type=pa.timestamp("ns", "UTC"))}
    for index, name in enumerate(("open", "high", "low", "close", "volume")):
        columns[name] = pa.array(bars.values[:, index])
    instrument = SimulatedAccount(spot(), {}).instrument(bars.symbol)
    return SealedBars(instrument, bars.interval_s, VolumeUnit.BASE, [pa.table(columns)], "demo", 1.0, adjustment)


def account_of(profile: BrokerageProfile, cash: int) -> Account:
    assert isinstance(profile.fee, PercentFee)
    return Account(
        account="acc",
        type=AccountType(profile.buying_power.value),
        venue="paper",
        base_currency="USD",
        starting_cash=cash * 10**8,
        fee_rate=profile.fee.taker,
        leverage=profile.leverage,
        trading_state=TradingState.ACTIVE,
        created_ns=0,
        feeds=(),
    )


def replayed(
    profile: BrokerageProfile,
    cash: int,
    data: Sequence[SealedBars],
    actions: Sequence[CorporateAction],
    orders: Sequence[Order],
    cancels: Sequence[Cancel] = (),
    after_ns: int = -1,
) -> Parts:
    by_symbol = {one.symbol: [each for each in actions if each.symbol == one.symbol] for one in actions}
    market = MarketContext(Instruments(), profile, actions=by_symbol)
    asked = Replay(OWNER, acts_of(orders, cancels), (), None, after_ns, account_of(profile, cash))
    return run(market, asked, data, Allowance(10**7))


def told(parts: Parts) -> tuple[object, ...]:
    """Fills, closes, equity and profits of round trips."""
    fills = [fill for part in parts for fill in part.fills.fills]
    tables = [pa.ipc.open_stream(part.equity_arrow).read_all() for part in parts if part.equity_arrow]
    return (
        [(one.symbol, D(one.quantity), D(one.price), D(one.fee)) for one in fills],
        [at for table in tables for at in table.column("close_time").cast(pa.int64()).to_pylist()],
        [value for table in tables for value in table.column("equity").to_pylist()],
        [float(trade.profit) for part in parts for trade in part.trades.trades],
    )


def said(result: RunResult) -> tuple[object, ...]:
    fills = [(one.symbol, abs(one.quantity), one.price, one.fee) for one in result.fills]
    return fills, result.time_ns.tolist(), list(result.equity), [trade.profit for trade in result.trades]


ACTING = st.builds(
    replace,
    fast_path.CASES,
    symbols=st.sampled_from([("AAPL",), ("ETH-USD", "AAPL", "BTC-USD"), ("ETH-USD", "AAPL")]),
    acts=st.just(True),
    latency_s=st.just(0),
    profile=st.one_of(SPOTS, MARGINS, MARGINS.map(fast_path.with_time)),
)


@given(case=ACTING)
@settings(deadline=None, max_examples=examples(15, 200))
def test_a_list_over_bars_while_companies_act_is_the_backtest_that_made_it(case: Case) -> None:
    data, actions = fast_path.data_of(case), fast_path.actions_of(case)
    result, _ = fast_path.run(case)
    if not len(result.time_ns):
        return
    cancels = [Cancel(one.client_order_id, one.time_ns, one.orders_before) for one in result.cancels]
    after_ns = int(result.time_ns[0]) - 1
    bars, orders = [sealed(one) for one in data], order_list(OWNER, result.orders)
    parts = replayed(case.profile, case.cash, bars, actions, orders, cancels, after_ns)
    assert told(parts) == said(result)
    summary = parts[-1].summary
    assert list(summary.not_tradable) == list(result.stuck)
    assert (summary.ended, summary.margin_call_count) == (result.ended or "", len(result.margin_calls))
    assert {kind: D(value) for kind, value in summary.carried.items()} == dict(result.carried)


@given(case=ACTING)
@settings(deadline=None, max_examples=examples(10, 200))
def test_lots_over_what_companies_do_add_up_to_the_equity(case: Case) -> None:
    """What trades by lots brought, what open lots would at the last prices, and what time paid: to a unit of money a
    fill, by which each is rounded.
    """
    data = fast_path.data_of(case)
    result, _ = fast_path.run(case)
    if not result.fills:
        return
    report = local_report(result, data, AccountTerms(profile=case.profile))
    last = {one.symbol: D(str(one.values[-1, 3])) for one in data if len(one)}
    worth = sum((one.net for one in report.trades.trades), D(0))
    for symbol, lots in report.trades.open_lots.items():
        worth += sum((lot.quantity * last[symbol] - lot.paid - lot.fees for lot in lots), D(0))
    told = sum(amount for kind, amount in result.carried.items() if kind not in ("SPLIT", "EXCHANGE", "DELISTING"))
    assert abs(case.cash + worth + told - result.equity[-1]) <= D("1e-8") * (len(result.fills) + 9)


DAYS = [100.0, 100.0, 50.0, 50.0, 20.0, 20.0]
SPLITS = Split("AAPL", START_NS + 2 * STEP_NS, Fraction(2))
PAYS = Dividend("AAPL", START_NS + STEP_NS + 1, D("0.5"))
SPLITS_AGAIN = Split("AAPL", START_NS + 4 * STEP_NS, Fraction(5, 2))


def at_prices(*closes: float) -> Bars:
    values = np.array([[close, close, close, close, 10.0**6] for close in closes])
    return Bars("AAPL", STEP_NS // 10**9, START_NS + STEP_NS * np.arange(len(closes)), values)


@pytest.mark.parametrize(
    ("adjustment", "prices", "shares", "dividend"),
    [
        (PriceAdjustment.RAW, DAYS, 10, "5"),  # 0.5 a share of ten
        (PriceAdjustment.SPLIT, [20.0] * 6, 50, "5"),  # 0.5 of an old share is 0.1 of five new ones
        (PriceAdjustment.TOTAL_RETURN, [20.0] * 6, 50, None),
    ],
)
def test_what_prices_have_in_them_is_done_once(
    adjustment: PriceAdjustment, prices: list[float], shares: int, dividend: str | None
) -> None:
    """1,000 at the first open, in shares as the prices count them: after both splits it is 50 shares at 20."""
    order = Order(OWNER, "one", "AAPL", Side.BUY, D(shares), decided_ns=START_NS + STEP_NS)
    later = Split("AAPL", START_NS + 7 * STEP_NS, Fraction(3))  # after the last bar: in no price of them
    parts = replayed(
        spot("0"), 10_000, [sealed(at_prices(*prices), adjustment)], [SPLITS, PAYS, SPLITS_AGAIN, later], [order]
    )
    summary = parts[-1].summary
    assert summary.carried.get("DIVIDEND") == dividend
    assert D(summary.equity) == 10_000 + D(dividend or 0)
    assert len(summary.corporate_actions) == {"RAW": 3, "SPLIT": 1, "TOTAL_RETURN": 0}[adjustment.value]
    if adjustment is PriceAdjustment.RAW:
        assert summary.corporate_actions[0].startswith("AAPL dividend 0.5 at ")
        assert summary.corporate_actions[0].endswith(": cash 5 USD")


def test_prices_of_which_nobody_tells_what_was_done_to_them_are_refused_where_companies_act() -> None:
    bars = at_prices(*DAYS)
    with pytest.raises(InvalidRequest, match="E_FIELD: adjustment of demo is not told"):
        replayed(spot("0"), 10_000, [sealed(bars, None)], [SPLITS], [])
    assert replayed(spot("0"), 10_000, [sealed(bars, None)], [], [])


def test_bars_after_their_end_are_refused_and_an_end_after_all_bars_does_nothing() -> None:
    bars = sealed(at_prices(*DAYS))
    with pytest.raises(InvalidRequest, match="E_FIELD: actions of AAPL"):
        replayed(spot("0"), 10_000, [bars], [Delisting("AAPL", START_NS + 3 * STEP_NS, D(1))], [])
    parts = replayed(spot("0"), 10_000, [bars], [Delisting("AAPL", START_NS + 9 * STEP_NS, D(1))], [])
    assert not parts[-1].summary.corporate_actions
