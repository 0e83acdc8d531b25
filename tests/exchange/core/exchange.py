"""The exchange: takes orders, matches them by price and time, tells each account what happened.

Prices are scripted: `quote` places the orders of the house, the one account that is no client, and trades whatever they
cross. Two orders of one client may meet too; both sides of that trade have one id. Client order ids are unique among
open orders only, as at real venues: a used one is taken again after a fill.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from tests.exchange.core.account import PLACES, Account
from tests.exchange.core.faults import Faults
from tests.exchange.core.streams import Streams
from tests.exchange.core.values import (
    ZERO,
    Ask,
    BalanceUpdate,
    Event,
    Execution,
    Listing,
    Order,
    OrderUpdate,
    Refused,
    Side,
    Status,
)

HOUSE = "house"
PLENTY = Decimal(10) ** 6
RICHES = Decimal(10) ** 14


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Exchange:
    """One exchange. `history_max` is how many trades of an account and symbol it still lists."""

    def __init__(
        self, listings: Iterable[Listing], *, clock: Callable[[], int] = now_ms, history_max: int = 1_000_000
    ) -> None:
        self.listings = {listing.symbol: listing for listing in listings}
        self.clock = clock
        self.history_max = history_max
        self.faults = Faults()
        self.streams = Streams[Event](self.faults)
        self.accounts: dict[str, Account] = {}
        self.orders: dict[tuple[str, int], Order] = {}
        self.last: dict[str, Decimal] = {}
        self.unlisted: set[tuple[str, int]] = set()  # trades by symbol and id that its lists do not have yet
        self.unreadable_brackets: set[str] = set()  # symbols whose margin brackets are told without their rates
        self.watchers: list[Callable[[str, Decimal, Decimal], None]] = []  # told of each new bid and ask
        self._executions: dict[str, list[Execution]] = defaultdict(list)
        self._trades: dict[str, int] = defaultdict(int)
        self._numbers: dict[str, int] = defaultdict(int)
        house = self.open_account(HOUSE, "", "")
        house.maker = house.taker = ZERO
        for listing in self.listings.values():
            house.total[listing.base] = house.total[listing.quote] = RICHES

    def open_account(self, name: str, api_key: str, secret: str, **balances: str) -> Account:
        """A client with these balances."""
        account = self.accounts[name] = Account(name, api_key, secret)
        for asset, amount in balances.items():
            account.total[asset] = Decimal(amount)
        return account

    def by_key(self, api_key: str) -> Account | None:
        """The client that has a key."""
        return next((one for one in self.accounts.values() if api_key and one.api_key == api_key), None)

    def place(self, account: str, ask: Ask, *, forced: bool = False) -> tuple[Order, list[Execution]]:
        """Take an order and match it. Raises Refused with the rule, before anything has changed."""
        listing = self._checked(account, ask, forced)
        owner, now = self.accounts[account], self.clock()
        self._numbers[ask.symbol] += 1
        number, locked_at = self._numbers[ask.symbol], self._locks_at(ask)
        order = Order(number, account, ask, now, now, locked_at, waiting=ask.stop is not None)
        owner.lock(listing, order)
        self.orders[ask.symbol, order.number] = order
        self._tell(order, "NEW")
        return order, [] if order.waiting else self._match(order)

    def cancel(self, order: Order) -> Order:
        """Cancel an open order. Raises Refused."""
        if not order.status.open:
            raise Refused("UNKNOWN_ORDER", "Unknown order sent.")
        self._end(order, Status.CANCELED)
        return order

    def quote(self, symbol: str, bid: str | Decimal, ask: str | Decimal, size: str | Decimal = PLENTY) -> None:
        """Move the market: the house withdraws what it had and offers so much at these prices; what it meets trades."""
        for order in [one for one in self.orders.values() if (one.account, one.ask.symbol) == (HOUSE, symbol)]:
            if order.status.open:
                self._end(order, Status.CANCELED)
            del self.orders[symbol, order.number]
        for side, price in ((Side.BUY, bid), (Side.SELL, ask)):
            self.place(HOUSE, Ask(symbol, side, Decimal(size), "", Decimal(price)))
        self._reach(symbol, Decimal(bid), Decimal(ask))
        for watcher in self.watchers:
            watcher(symbol, Decimal(bid), Decimal(ask))

    def transfer(self, account: str, asset: str, amount: str | Decimal) -> None:
        """Change a balance from outside: a deposit or (negative) a withdrawal."""
        owner, delta = self.accounts[account], Decimal(amount)
        owner.earn("", "TRANSFER", asset, delta, self.clock())
        self.streams.tell(account, BalanceUpdate(owner.balances(), self.clock(), (asset, delta)))

    def fund(self, symbol: str, rate: str | Decimal) -> None:
        """Take the funding of a contract from all who hold it, at its last price."""
        listing, price = self.listings[symbol], self.last.get(symbol, ZERO)
        for owner in self.accounts.values():
            quantity = sum((one.quantity for _, one in owner.held(symbol)), ZERO)
            if quantity and owner.name != HOUSE:
                amount = (-quantity * price * Decimal(rate)).quantize(PLACES)
                owner.earn(symbol, "FUNDING_FEE", listing.quote, amount, self.clock())
                self.streams.tell(owner.name, BalanceUpdate(owner.balances(), self.clock(), (listing.quote, amount)))

    def close_out(self, account: str, symbol: str, client_id: str) -> Order:
        """Close a contract position without being asked: a liquidation or, by its client id, a deleveraging."""
        [(side, position), *_] = self.accounts[account].held(symbol)
        closing = Side.SELL if position.quantity > 0 else Side.BUY
        ask = Ask(symbol, closing, abs(position.quantity), client_id, position_side=side)
        return self.place(account, ask, forced=True)[0]

    def find(
        self, account: str, symbol: str, *, number: int | None = None, client_id: str | None = None
    ) -> Order | None:
        """An order by the exchange's number or, newest first, by the client's id."""
        if number is not None:
            order = self.orders.get((symbol, number))
            return order if order is not None and order.account == account else None
        mine = [one for one in self.orders.values() if (one.account, one.ask.symbol) == (account, symbol)]
        return next((one for one in reversed(mine) if one.ask.client_id == client_id), None)

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Open orders of an account, oldest first."""
        return [
            one
            for one in self.orders.values()
            if one.account == account and one.status.open and symbol in (None, one.ask.symbol)
        ]

    def executions(self, account: str, symbol: str | None = None) -> list[Execution]:
        """What an account traded and the exchange still lists, oldest first."""
        told = (one for one in self._executions[account] if (one.symbol, one.trade_id) not in self.unlisted)
        mine = [one for one in told if symbol in (None, one.symbol)]
        return mine[-self.history_max :]

    def retell(self, account: str, place: int, **changes: Decimal) -> None:
        """List a trade of an account with other content from now on."""
        self._executions[account][place] = replace(self._executions[account][place], **changes)  # type: ignore[arg-type]

    # ---- matching

    def _checked(self, account: str, ask: Ask, forced: bool = False) -> Listing:
        listing = self.listings.get(ask.symbol)
        if listing is None:
            raise Refused("SYMBOL", "Invalid symbol.")
        if ask.quantity <= 0 or ask.quantity % listing.lot:
            raise Refused("LOT_SIZE", "Filter failure: LOT_SIZE")
        if any(price is not None and (price <= 0 or price % listing.tick) for price in (ask.price, ask.stop)):
            raise Refused("PRICE_FILTER", "Filter failure: PRICE_FILTER")
        if (
            account != HOUSE
            and not (ask.reduce_only or forced)
            and ask.quantity * self._locks_at(ask) < listing.notional_min
        ):
            raise Refused("NOTIONAL", "Filter failure: NOTIONAL")
        if ask.client_id and any(one.ask.client_id == ask.client_id for one in self.open_orders(account)):
            raise Refused("DUPLICATE", "Duplicate order sent.")
        if ask.post_only and ask.price is not None and self._opposite(ask.symbol, ask.side, ask.price):
            raise Refused("POST_ONLY", "Order would immediately match and take.")
        if listing.contract and account != HOUSE and not forced:
            self._check_contract(self.accounts[account], ask)
        return listing

    def _check_contract(self, owner: Account, ask: Ask) -> None:
        """Whether an order fits the mode, the position and the margin of an account. Raises Refused."""
        if owner.hedged == (ask.position_side == "BOTH"):
            raise Refused("POSITION_SIDE", "Order's position side does not match user's setting.")
        closes = (ask.position_side, ask.side) in (("LONG", Side.SELL), ("SHORT", Side.BUY))
        if (ask.reduce_only or closes) and self._reducible(owner, ask) < ask.quantity:
            raise Refused("REDUCE_ONLY", "ReduceOnly Order is rejected.")
        opened = ask.quantity - min(self._reducible(owner, ask), ask.quantity)
        if opened * self._locks_at(ask) > self.available(owner, self.listings[ask.symbol].quote) * owner.leverage:
            raise Refused("MARGIN", "Margin is insufficient.")

    def available(self, owner: Account, asset: str) -> Decimal:
        """What an account has for the margin of new contracts."""
        left = owner.total[asset]
        for (symbol, _), position in owner.positions.items():
            if self.listings[symbol].quote == asset:
                left += (self.last.get(symbol, position.entry) - position.entry) * position.quantity
                left -= abs(position.quantity) * position.entry / owner.leverage
        for order in self.open_orders(owner.name):
            if self.listings[order.ask.symbol].contract and not order.ask.reduce_only:
                left -= order.left * order.locked_at / owner.leverage
        return left

    def _reducible(self, owner: Account, ask: Ask) -> Decimal:
        return max(-owner.positions[ask.symbol, ask.position_side].quantity * ask.side.sign, ZERO)

    def _locks_at(self, ask: Ask) -> Decimal:
        """What an order is paid at, at most, as the exchange sees it when it takes the order."""
        if ask.price is not None:
            return ask.price
        best = self._opposite(ask.symbol, ask.side, None)
        return best[-1].ask.price or ZERO if best else self.last.get(ask.symbol, ZERO)

    def _opposite(self, symbol: str, side: Side, price: Decimal | None) -> list[Order]:
        """Working orders that one at a price would meet, the best and oldest first."""
        met = [
            one
            for one in self.orders.values()
            if one.ask.symbol == symbol and one.status.open and not one.waiting and one.ask.side is not side
            if one.ask.price is not None and (price is None or (price - one.ask.price) * side.sign >= 0)
        ]
        return sorted(met, key=lambda one: ((one.ask.price or ZERO) * side.sign, one.number))

    def _match(self, order: Order) -> list[Execution]:
        met = self._opposite(order.ask.symbol, order.ask.side, order.ask.price)
        done: list[Execution] = []
        if order.ask.tif == "FOK" and sum((one.left for one in met), ZERO) < order.left:
            met = []
        for other in met:
            if not order.left or not order.status.open:
                break
            if not other.status.open:
                continue
            done.append(self._trade(order, other, min(order.left, other.left)))
        if order.status.open and (order.ask.price is None or order.ask.tif in ("IOC", "FOK")):
            self._end(order, Status.EXPIRED)
        return done

    def _trade(self, taker: Order, maker: Order, quantity: Decimal) -> Execution:
        """One trade: the maker's price, one id, both accounts moved and told."""
        symbol, price = taker.ask.symbol, maker.ask.price or ZERO
        self._trades[symbol] += 1
        self.last[symbol] = price
        first = self._book(taker, self._trades[symbol], price, quantity, False)
        self._book(maker, self._trades[symbol], price, quantity, True)
        return first

    def _book(self, order: Order, trade_id: int, price: Decimal, quantity: Decimal, maker: bool) -> Execution:
        listing, owner = self.listings[order.ask.symbol], self.accounts[order.account]
        fee, asset = owner.fee(listing, order.ask.side, price, quantity, maker=maker)
        done = Execution(
            trade_id=trade_id,
            number=order.number,
            account=order.account,
            client_id=order.ask.client_id,
            symbol=order.ask.symbol,
            side=order.ask.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=asset,
            maker=maker,
            time_ms=self.clock(),
            position_side=order.ask.position_side,
        )
        owner.unlock(listing, order, quantity)
        done = replace(done, realised=owner.book(listing, done))
        order.filled += quantity
        order.turnover += quantity * price
        order.status = Status.PARTIALLY_FILLED if order.left else Status.FILLED
        order.updated_ms = done.time_ms
        self._executions[order.account].append(done)
        self._tell(order, "TRADE", done)
        self._drop_reducers(owner, done.symbol)
        return done

    def _drop_reducers(self, owner: Account, symbol: str) -> None:
        """End the orders that would do more than reduce what is left of a position."""
        for order in self.open_orders(owner.name, symbol):
            if order.ask.reduce_only and order.status.open and self._reducible(owner, order.ask) < order.left:
                self._end(order, Status.EXPIRED)

    def _reach(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        """Let go of the stops that the new prices reach."""
        for order in list(self.orders.values()):
            stop = order.ask.stop
            if order.waiting and order.status.open and order.ask.symbol == symbol and stop is not None:
                buys = order.ask.side is Side.BUY
                if (buys and ask >= stop) or (not buys and bid <= stop):
                    order.waiting = False
                    self._match(order)

    def _end(self, order: Order, status: Status) -> None:
        owner, listing = self.accounts[order.account], self.listings[order.ask.symbol]
        owner.unlock(listing, order, order.left)
        order.status, order.updated_ms = status, self.clock()
        self._tell(order, status.value)

    def _tell(self, order: Order, kind: str, execution: Execution | None = None) -> None:
        if order.account == HOUSE:
            return
        self.streams.tell(order.account, OrderUpdate(replace(order), kind, self.clock(), execution))
        self.streams.tell(order.account, BalanceUpdate(self.accounts[order.account].balances(), self.clock()))
