"""A paper session's equity, bar by bar, from its fills: the brokerage's own accounting run over them again.

Exact decimals and the same rounding, so the last value equals the equity the brokerage reports.
"""

from __future__ import annotations

from collections.abc import Iterable

from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import bars_from_doubles
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import mark_of
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import Carry, in_progress
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import parse_decimal, to_scaled
from qmtl.core.fills import FillEvent
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.execution.run_record import RunRecord
from qmtl.sdk.execution.traces import Trace
from qmtl.sdk.mesh.session.account_profile import profile_of

NOBODY = Owner("", "", "")


def equity_record(
    account: accountpb.Account,
    instrument: Instrument,
    bars: Bars,
    fills: Iterable[FillEvent],
    denials: Iterable[DeniedOrder],
) -> RunRecord:
    """The record of a session: equity at each bar's close, after what the bar filled and what time brought."""
    currency, waiting, profile = (
        account.base_currency,
        sorted(fills, key=lambda fill: fill.booked_ns),
        profile_of(account),
    )
    ledger = Ledger(profile.settles)
    books, unsettled = {NOBODY: StrategyBook(ledger)}, ledger.book_of_cash.on_its_way
    view = AccountView(profile, Instruments([instrument]), currency, ledger.cash, unsettled, books=books)
    carry = Carry(view, ledger, in_progress(view))
    scale = currency_scale(currency)
    ledger.deposit(currency, to_scaled(parse_decimal(account.starting_cash, "account.starting_cash"), scale))
    multipliers = {instrument.symbol: instrument.multiplier}
    record = RunRecord(fills=Trace(waiting), denials=list(denials), multipliers=multipliers)
    times, equity = list[int](), list[int]()
    values = bars.values
    columns = (values[:, 0], values[:, 1], values[:, 2], values[:, 3], values[:, 4])
    for bar in bars_from_doubles(instrument, bars.open_ns, bars.interval_s * NS_PER_S, columns):
        record.pay(currency, carry.advance(bar.start_ns))
        while waiting and waiting[0].booked_ns <= bar.end_ns:
            _book(ledger, instrument, waiting.pop(0))
        view.marks[bars.symbol] = mark_of(bar)
        record.pay(currency, carry.advance(bar.end_ns))
        times.append(bar.end_ns)
        equity.append(ledger.equity(currency, {bars.symbol: bar.close}))
        record.invested += ledger.position(bars.symbol).quantity != 0
    record.times, record.equity = times, equity
    return record


def _book(ledger: Ledger, instrument: Instrument, fill: FillEvent) -> None:
    in_quote = fill.fee_currency == instrument.quote
    fee_scale = currency_scale(instrument.quote) if in_quote else instrument.quantity_scale
    booked = Fill(
        trade_id=fill.trade_id,
        quantity=to_scaled(abs(fill.quantity), instrument.quantity_scale),
        price=instrument.price_units(fill.price, "fill.price"),
        fee=to_scaled(fill.fee, fee_scale),
        fee_currency=fill.fee_currency,
        liquidity=Liquidity.TAKER,
        venue_ns=fill.time_ns,
    )
    ledger.book(instrument, Side.BUY if fill.quantity > 0 else Side.SELL, booked)
