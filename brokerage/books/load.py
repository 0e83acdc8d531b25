"""The books of accounts and worlds as they are stored, read once for a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from brokerage.books import store, totals
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.accounts.position import Position
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.exposure import NONE, AccountExposure, Exposure
from brokerage.domain.trading.commands import Desk
from brokerage.market.context import MarketContext

Held = tuple[Owner, str, Position]


def summed_desks(conn: Connection, house: MarketContext, account: Account) -> dict[Owner, Desk]:
    """Positions and the sums of open orders, without the orders."""
    held = store.load_positions(conn, account.account)
    return _desks(house, {account.account: account}, held, totals.load(conn, house, account))


def _desks(
    house: MarketContext, owners: Mapping[str, Account], held: Iterable[Held], working: totals.Sums
) -> dict[Owner, Desk]:
    """A desk per strategy that holds or works something, of these accounts."""
    desks: dict[Owner, Desk] = {}
    for scope, symbol, position in held:
        instrument = house.instruments.find(symbol)
        if instrument is not None and scope.account in owners:
            desk_of(desks, house, owners[scope.account], scope).ledger.restore(instrument, position)
    for scope, sides in working.items():
        if scope.account in owners:
            desk_of(desks, house, owners[scope.account], scope).sums = sides
    for desk in desks.values():
        desk.stored_sums = dict(desk.sums)
    return desks


def around(house: MarketContext, account: Account, others: Mapping[Owner, Desk], cash: int) -> AccountExposure:
    """What stands beside one strategy's desk in its account. The rest of the world is not known here."""
    worth = sum(desk.worth(account.base_currency) for desk in others.values())
    return AccountExposure(
        equity=cash + worth,
        account=sum((desk.exposure() for desk in others.values()), NONE),
        world=None,
        circuit_open=bool(house.profile.limits.drawdown_max) and account.circuit_ns is not None,
    )


def beside(conn: Connection, house: MarketContext, account: Account, world: Sequence[Account]) -> Exposure | None:
    """Exposure of a world's other accounts; None if one of them cannot be valued in this account's currency."""
    owners = {other.account: other for other in world if other.account != account.account}
    held = store.positions_of_world(conn, account.world_id)
    working = totals.load_world(conn, house, account.world_id, owners.values())
    total = NONE
    for scope, desk in _desks(house, owners, held, working).items():
        if desk.sums or any(position.quantity for position in desk.ledger.positions.values()):
            other = owners[scope.account]
            if other.mark is None or other.base_currency != account.base_currency:
                return None
            total += desk.exposure()
    return total


def desk_of(desks: dict[Owner, Desk], house: MarketContext, account: Account, scope: Owner) -> Desk:
    if scope not in desks:
        desks[scope] = empty_desk(house, account)
    return desks[scope]


def empty_desk(house: MarketContext, account: Account) -> Desk:
    desk = Desk(house.profile_of(account), house.instruments, Ledger(), trading=account.trading_state)
    if account.mark is not None:
        desk.restore((), {account.symbol: account.mark})
    return desk
