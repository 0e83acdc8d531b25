"""Positions, cash and portfolios: values to messages."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.portfolio import PositionView
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.money import money_text
from brokerage.domain.orders.order import OVERLAY, Owner
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.maintenance import account_margin
from brokerage.domain.simulation.carry import Payment
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import NotFound
from qmtl.wire.instants import ns_to_proto


def position_to_proto(owner: Owner, view: PositionView) -> portfoliopb.Position:
    """One position at its mark."""
    return portfoliopb.Position(
        account=owner.account,
        world_id=owner.world_id,
        strategy_id=owner.strategy_id,
        symbol=view.symbol,
        side=_side(view.quantity),
        quantity=format_decimal(view.quantity),
        average_price=format_decimal(view.average_price),
        mark_price=format_decimal(view.mark) if view.marked_ns else "",
        mark_time=ns_to_proto(view.marked_ns) if view.marked_ns else None,
        market_value=format_decimal(view.value),
        realized_pnl=format_decimal(view.realised),
        unrealized_pnl=format_decimal(view.unrealised),
        fees=format_decimal(view.fees),
        currency=view.currency,
        end_time=ns_to_proto(view.ended_ns) if view.ended_ns else None,
        liquidation_price="" if view.liquidation is None else format_decimal(view.liquidation),
    )


def portfolio_to_proto(
    account: Account, view: AccountView, world_id: str, positions: list[tuple[Owner, PositionView]]
) -> portfoliopb.Portfolio:
    """An account's book, or one world's part of its positions beside the cash and equity of the whole."""
    views = [one for _, one in positions]
    return portfoliopb.Portfolio(
        account=account.account,
        world_id=world_id,
        base_currency=account.base_currency,
        cash=balances_to_proto(view),
        positions=[position_to_proto(owner, one) for owner, one in positions],
        equity=money_text(account.base_currency, view.equity()),
        realized_pnl=_total(one.realised for one in views),
        unrealized_pnl=_total(one.unrealised for one in views),
        fees=_total(one.fees for one in views),
        time=ns_to_proto(account.shown_ns) if account.shown_ns else None,
        account_event_number=account.event_sequence,
        margin=margin_to_proto(account, view),
        capital=capital_to_proto(account, world_id),
    )


def marks_to_proto(account: Account, view: AccountView) -> list[portfoliopb.SymbolMark]:
    """The last prices of an account's instruments, by symbol, and whether further ones may come."""
    over = {feed.symbol for feed in account.feeds if feed.ended} if account.venue == PAPER.name else set()
    return [
        portfoliopb.SymbolMark(
            symbol=symbol,
            price=format_decimal(instrument.price_decimal(mark.price)),
            time=ns_to_proto(mark.at_ns),
            ended=symbol in over,
        )
        for symbol, mark in sorted(view.marks.items())
        if (instrument := view.instruments.find(symbol)) is not None
    ]


def capital_to_proto(account: Account, world_id: str) -> list[portfoliopb.AllocatedCapital]:
    """Capital by world and strategy, of one world or of all; none without shares. A world that was left out of them, as
    one that the account serves since, has 0.
    """
    rows = [
        portfoliopb.AllocatedCapital(
            world_id=budget.world_id,
            strategy_id=budget.strategy_id,
            capital=money_text(account.base_currency, budget.capital),
        )
        for budget in account.limits.budgets
        if budget.capital is not None and budget.strategy_id != OVERLAY and world_id in ("", budget.world_id)
    ]
    if world_id and account.limits.shared_out and not any(not row.strategy_id for row in rows):
        left_out = portfoliopb.AllocatedCapital(world_id=world_id, capital=money_text(account.base_currency, 0))
        rows.insert(0, left_out)
    return rows


def margin_to_proto(account: Account, view: AccountView) -> portfoliopb.AccountMargin | None:
    """What positions must keep; None on CASH and at exchanges."""
    margin = account_margin(view) if account.venue == PAPER.name else None
    if margin is None:
        return None
    return portfoliopb.AccountMargin(
        used=money_text(margin.currency, margin.used),
        state=f"MARGIN_STATE_{margin.state.name}",
        warned_at=ns_to_proto(account.margin_warned_ns) if account.margin_warned_ns else None,
    )


def balances_to_proto(view: AccountView) -> list[portfoliopb.CashBalance]:
    """Cash by currency, and what open orders hold of it."""
    return [
        portfoliopb.CashBalance(
            currency=currency,
            settled=money_text(currency, amount),
            unsettled=money_text(currency, view.unsettled.get(currency, 0)),
            reserved=money_text(currency, view.committed(currency)),
        )
        for currency, amount in view.cash.items()
    ]


def payment_to_proto(
    account: str, number: int, fills_before: int, paid: Payment, instruments: Instruments
) -> portfoliopb.Payment:
    """A payment as it was booked. Raises NotFound (E_INSTRUMENT_UNKNOWN): the scale of its prices is not known."""
    owner = paid.owner
    return portfoliopb.Payment(
        account=account,
        number=number,
        world_id="" if owner is None else owner.world_id,
        strategy_id="" if owner is None else owner.strategy_id,
        symbol=paid.symbol,
        kind=f"PAYMENT_KIND_{paid.kind.name}",
        currency=paid.currency,
        amount=money_text(paid.currency, paid.amount),
        time=ns_to_proto(paid.at_ns),
        account_fill_number=fills_before,
        change=_change(paid, instruments),
    )


def _change(paid: Payment, instruments: Instruments) -> portfoliopb.ShareChange | None:
    terms = paid.conversion
    if paid.split is None and terms is None:
        return None
    instrument = instruments.find(paid.symbol)
    if instrument is None:
        message = f"{paid.symbol} is paid for in {paid.kind.value}, and the settings no longer name it"
        raise NotFound("E_INSTRUMENT_UNKNOWN", message)
    if terms is None:
        ratio, price = paid.split or (Fraction(1), 0)
        shown = format_decimal(instrument.price_decimal(price))
        return portfoliopb.ShareChange(ratio=str(ratio), price=shown, symbol=paid.symbol)
    into = terms.into
    return portfoliopb.ShareChange(
        ratio=str(terms.ratio),
        price="" if into is None else format_decimal(into.price_decimal(terms.price)),
        symbol="" if into is None else into.symbol,
        cash_per_share=format_decimal(instrument.price_decimal(terms.per_share)),
    )


def _side(quantity: Decimal) -> orderpb.PositionSide:
    if not quantity:
        return orderpb.POSITION_SIDE_UNSPECIFIED
    return orderpb.POSITION_SIDE_LONG if quantity > 0 else orderpb.POSITION_SIDE_SHORT


def _total(amounts: Iterable[Decimal]) -> str:
    return format_decimal(sum(amounts, Decimal(0)))
