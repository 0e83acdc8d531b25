"""A session's equity, bar by bar, from its fills: the brokerage's own accounting run over them again.

Exact decimals and the same rounding, so that on paper the last value equals the equity the brokerage reports. At an
exchange an account has other money in it, and time brings what the exchange says: there it is what the strategy made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby

from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.portfolio import view_position
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.bars import Bar, bars_from_doubles
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import mark_of
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.simulation.carry import Carry, Payment, in_progress
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import parse_decimal, to_scaled
from qmtl.core.fills import FillEvent
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.holdings import Holding
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.execution.records.traces import Trace
from qmtl.sdk.execution.run_record import RunRecord
from qmtl.sdk.mesh.session.account.profile import is_live, profile_of

NOBODY = Owner("", "", "")


def equity_record(
    account: accountpb.Account,
    instruments: Sequence[Instrument],
    traded: Sequence[Bars],
    fills: Iterable[FillEvent],
    denials: Iterable[DeniedOrder],
    capital: Decimal | None = None,
) -> RunRecord:
    """The record of a session: equity at each close of a traded symbol, after what its bar filled and time brought.

    `capital`: what the curve is to begin with; None: the cash that the account was opened with.
    """
    currency, waiting = account.base_currency, sorted(fills, key=lambda fill: fill.booked_ns)
    book = SessionBook(account, instruments, waiting)
    by_symbol = {instrument.symbol: instrument for instrument in instruments}
    multipliers = {symbol: instrument.multiplier for symbol, instrument in by_symbol.items()}
    record = RunRecord(
        fills=Trace(waiting),
        denials=list(denials),
        multipliers=multipliers,
        calendars={symbol: instrument.calendar for symbol, instrument in by_symbol.items()},
    )
    times, equity, closes = list[int](), list[int](), dict[str, int]()
    for end_ns, bars in _steps(by_symbol, traded):
        record.pay(currency, book.step(end_ns, bars))
        closes.update((symbol, bar.close) for symbol, bar in bars)
        times.append(end_ns)
        equity.append(book.ledger.equity(currency, closes))
        record.invested += any(book.ledger.position(symbol).quantity != 0 for symbol in by_symbol)
    more = 0 if capital is None or not equity else to_scaled(capital, currency_scale(currency)) - equity[0]
    record.times, record.equity = times, [each + more for each in equity]
    return record


def held_from(instruments: Iterable[Instrument], fills: Iterable[FillEvent]) -> dict[str, Decimal]:
    """What fills come to of each symbol, signed; a fee that was taken in what was bought is off."""
    ledger, by_symbol = Ledger(), {instrument.symbol: instrument for instrument in instruments}
    for fill in fills:
        _book(ledger, by_symbol[fill.symbol], fill)
    return {symbol: one.quantity_decimal(ledger.position(symbol).quantity) for symbol, one in by_symbol.items()}


class SessionBook:
    """An account's books from its fills, stepped bar by bar; on paper as its venue steps."""

    def __init__(
        self, account: accountpb.Account, instruments: Sequence[Instrument], fills: Iterable[FillEvent]
    ) -> None:
        currency, profile = account.base_currency, profile_of(account)
        self.ledger = ledger = Ledger(profile.settles)
        books, unsettled = {NOBODY: StrategyBook(ledger)}, ledger.book_of_cash.on_its_way
        self._view = AccountView(profile, Instruments(instruments), currency, ledger.cash, unsettled, books=books)
        self._carry = None if is_live(account) else Carry(self._view, ledger, in_progress(self._view))
        scale = currency_scale(currency)
        ledger.deposit(currency, to_scaled(parse_decimal(account.starting_cash, "account.starting_cash"), scale))
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._waiting = deque(sorted(fills, key=lambda fill: fill.booked_ns))

    def step(self, end_ns: int, bars: Sequence[tuple[str, Bar]]) -> list[Payment]:
        """Take the bars of one close: what they filled, and what time brought until then."""
        paid = self._advance(min(bar.start_ns for _, bar in bars))
        while self._waiting and self._waiting[0].booked_ns <= end_ns:
            fill = self._waiting.popleft()
            _book(self.ledger, self._instruments[fill.symbol], fill)
        for symbol, bar in bars:
            self._view.marks[symbol] = mark_of(bar)
        return paid + self._advance(end_ns)

    def _advance(self, time_ns: int) -> list[Payment]:
        return [] if self._carry is None else self._carry.advance(time_ns)

    def holding(self, symbol: str) -> Holding:
        """What is held of a symbol at the last close."""
        held = view_position(self._instruments[symbol], self.ledger.position(symbol), self._view.marks.get(symbol))
        return Holding(held.quantity, held.average_price, held.unrealised)


def _steps(
    instruments: Mapping[str, Instrument], traded: Sequence[Bars]
) -> Iterator[tuple[int, list[tuple[str, Bar]]]]:
    """The bars of all symbols by close, those of one close together."""
    found = [
        (bar.end_ns, bars.symbol, bar)
        for bars in traded
        for bar in bars_from_doubles(
            instruments[bars.symbol], bars.open_ns, bars.interval_s * NS_PER_S, tuple(bars.values.T)
        )
    ]
    found.sort(key=lambda one: one[:2])
    for end_ns, together in groupby(found, key=lambda one: one[0]):
        yield end_ns, [(symbol, bar) for _, symbol, bar in together]


def _book(ledger: Ledger, instrument: Instrument, fill: FillEvent) -> None:
    withheld = instrument.withholds(fill.fee_currency)
    fee_scale = instrument.quantity_scale if withheld else currency_scale(fill.fee_currency or instrument.quote)
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
