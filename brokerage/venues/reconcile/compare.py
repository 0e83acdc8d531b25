"""What a venue's balances are by the books, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Context, Decimal

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.books.load import load_view
from brokerage.books.payments import save_payments
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.states import EventKind
from brokerage.domain.simulation.carry import Payment
from brokerage.market.context import MarketContext
from brokerage.venues.listings import ListedOrder, ListedTrade
from qmtl.core.decimals import DIGITS_MAX, from_scaled, to_scaled


def expected(conn: Connection, market: MarketContext, account_name: str) -> dict[str, Decimal]:
    """Balances by currency as the books have them: cash, and on spot the coins that positions are.

    A contract is no coin: what its position has cost is not paid, so the wallet has cash and cost together.
    """
    held: dict[str, Decimal] = {}
    for part in (cash.load_cash(conn, account_name), cash.load_unsettled(conn, account_name)):
        for currency, amount in part.items():
            held[currency] = held.get(currency, Decimal(0)) + from_scaled(amount, currency_scale(currency))
    for _, symbol, position in books_store.load_positions(conn, account_name):
        instrument = market.instruments.find(symbol)
        if instrument is None:
            continue
        if instrument.asset_class is AssetClass.FUTURE:
            held[instrument.quote] = held.get(instrument.quote, Decimal(0)) + instrument.money_decimal(position.cost)
        else:
            coins = instrument.quantity_decimal(position.quantity)
            held[instrument.base] = held.get(instrument.base, Decimal(0)) + coins
    return held


def compared(
    conn: Connection, market: MarketContext, account_name: str, balances: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """What the venue has beyond the books, by currency; nothing where they agree."""
    books = expected(conn, market, account_name)
    found = {
        currency: balances.get(currency, Decimal(0)) - books.get(currency, Decimal(0))
        for currency in {*books, *balances}
    }
    return {currency: amount for currency, amount in found.items() if amount}


def kept(amounts: Mapping[str, Decimal]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What the places of each currency hold of an amount, toward zero, and what remains of it, without zeros.

    Venues list balances of more places than books keep (Kraken: ten).
    """
    exact = Context(prec=2 * DIGITS_MAX, rounding=ROUND_DOWN)
    whole = {
        currency: amount.quantize(Decimal(1).scaleb(-currency_scale(currency)), context=exact)
        for currency, amount in amounts.items()
    }
    dust = {currency: exact.subtract(amount, whole[currency]) for currency, amount in amounts.items()}
    return {name: one for name, one in whole.items() if one}, {name: one for name, one in dust.items() if one}


def transfer(
    conn: Connection, market: MarketContext, account_name: str, amounts: Mapping[str, Decimal], now_ns: int
) -> None:
    """Book differences as transfers. What a currency's scale cannot hold exactly is refused, never rounded."""
    account = accounts_store.account(conn, account_name, lock=True)
    paid = [
        Payment(None, "", CashKind.TRANSFER, currency, to_scaled(amount, currency_scale(currency)), now_ns)
        for currency, amount in sorted(amounts.items())
    ]
    view = load_view(conn, market, account)
    save_payments(conn, account_name, view, [(account.fill_sequence, payment) for payment in paid])


def misplaced(
    conn: Connection, market: MarketContext, account_name: str, positions: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """What the venue holds of contracts beyond the books, by symbol."""
    books: dict[str, Decimal] = {}
    for _, symbol, position in books_store.load_positions(conn, account_name):
        instrument = market.instruments.find(symbol)
        if instrument is not None and _is_contract(market, symbol):
            books[symbol] = books.get(symbol, Decimal(0)) + instrument.quantity_decimal(position.quantity)
    nothing = Decimal(0)
    contracts = {symbol: quantity for symbol, quantity in positions.items() if _is_contract(market, symbol)}
    found = {symbol: contracts.get(symbol, nothing) - books.get(symbol, nothing) for symbol in {*books, *contracts}}
    return {symbol: quantity for symbol, quantity in found.items() if quantity}


def _is_contract(market: MarketContext, symbol: str) -> bool:
    instrument = market.instruments.find(symbol)
    return instrument is None or instrument.asset_class is AssetClass.FUTURE


def order_of_trade(trade: ListedTrade, trades: Sequence[ListedTrade]) -> ListedOrder:
    """The order of a trade that the venue lists no longer: as much of it as its trades tell."""
    quantity = sum((one.quantity for one in trades if one.place == trade.place), Decimal(0))
    return ListedOrder(
        client_id=f"#{trade.number}",
        number=trade.number,
        symbol=trade.symbol,
        side=trade.side,
        quantity=quantity,
        limit=None,
        stop=None,
        filled=quantity,
        kind=EventKind.ACCEPTED,
        reduce_only=False,
        created_ms=trade.at_ms,
        at_ms=trade.at_ms,
    )
