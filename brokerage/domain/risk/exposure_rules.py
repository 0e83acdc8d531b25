"""Rules on what an order adds: drawdown circuit, position, leverage, gross, net and buying power."""

from __future__ import annotations

from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.money import RATE_ONE, RATE_SCALE, money_text
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import Order, Side, SizedOrder
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, totals_of_new
from brokerage.domain.risk.context import RiskContext, increases
from brokerage.domain.risk.exposure import Exposure, exposure_of
from brokerage.domain.risk.limits import Limits
from qmtl.core.decimals import format_decimal, from_scaled
from qmtl.core.errors import InvalidRequest


def drawn_down(equity: int, peak: int, drawdown_max: int) -> bool:
    """Whether equity has fallen from its peak by the share that opens the circuit."""
    lost: int = (peak - equity) * RATE_ONE
    return lost >= peak * drawdown_max


def circuit(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """While the drawdown circuit is open nothing is added."""
    if now.view.circuit_open and now.adds(order, sized):
        most = _share(now.view.limits.drawdown_max)
        return Refusal(
            Denial.DRAWDOWN_CIRCUIT,
            f"equity fell by {most} (drawdown_max) or more from its highest: until an operator sets the account ACTIVE "
            "only orders that reduce pass",
        )
    return None


def exposures(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """Position, leverage, gross and net, as they would be at their worst; what only reduces is never held up."""
    together = now.reach(order, sized)
    if now.mark is None or not increases(order.side, together, now.held):
        return None
    buys = together if order.side is Side.BUY else now.buys.reach(Side.BUY, now.held)
    sells = together if order.side is Side.SELL else now.sells.reach(Side.SELL, now.held)
    try:
        alone = exposure_of(now.instrument, now.mark.price, now.held, buys, sells)
        own = now.view.valued(alone, now.instrument.quote)
    except InvalidRequest:
        return Refusal(Denial.EXPOSURE_ABOVE_LIMIT, f"the exposure in {order.symbol} is larger than can be counted")
    if beyond := _beyond_tiers(now, alone.net(order.side)):
        return beyond
    if own is None:
        return _unvalued(now) if _limits_any(now.limits) else None
    position_max = now.limits.position_notional_max
    if position_max and own.net(order.side) > position_max:
        return _above(
            Denial.POSITION_ABOVE_LIMIT,
            f"position with its open orders {now.base_money(own.net(order.side))}",
            f"position_notional_max {now.base_money(position_max)}",
        )
    return _account(order, now, own) or _world(order, now, own)


def _beyond_tiers(now: RiskContext, alone: int) -> Refusal | None:
    """Beyond the cap of its last margin tier nothing is opened in an instrument, over all owners of the account."""
    if not now.view.profile.funding.by_tiers(now.instrument):
        return None
    together, most = alone + now.view.held_beside(now.owner, now.instrument), now.instrument.margin_tiers.notional_max
    if together <= most:
        return None
    return _above(
        Denial.POSITION_ABOVE_LIMIT,
        f"position of the account with its open orders {now.money(together)}",
        f"the last margin tier of {now.instrument.symbol}, {now.money(most)}",
    )


def _limits_any(limits: Limits) -> bool:
    account = limits.leverage_max or limits.account_gross_max or limits.account_net_max
    return bool(account or limits.position_notional_max or limits.world_gross_max or limits.world_net_max)


def _unvalued(now: RiskContext) -> Refusal:
    base = now.view.base_currency
    message = f"a part of the exposure cannot be valued in {base}, so it counts as above every limit"
    return Refusal(Denial.EXPOSURE_ABOVE_LIMIT, message)


def _account(order: Order, now: RiskContext, own: Exposure) -> Refusal | None:
    limits = now.limits
    if not (limits.leverage_max or limits.account_gross_max or limits.account_net_max):
        return None
    rest = now.view.exposure(without=(now.owner, order.symbol))
    if rest is None:
        return _unvalued(now)
    total = rest + own
    if limits.leverage_max:
        equity = max(now.view.equity(), 0)
        if total.gross * RATE_ONE > limits.leverage_max * equity:
            return _above(
                Denial.LEVERAGE_ABOVE_LIMIT,
                f"gross exposure of the account {now.base_money(total.gross)}",
                f"leverage_max {_share(limits.leverage_max)} times its equity {now.base_money(equity)}",
            )
    return _beyond(order, now, total, "account", limits.account_gross_max, limits.account_net_max)


def _world(order: Order, now: RiskContext, own: Exposure) -> Refusal | None:
    gross_max, net_max = now.limits.world_gross_max, now.limits.world_net_max
    if not (gross_max or net_max):
        return None
    beside, rest = now.view.world_beside, now.view.exposure(now.owner.world_id, without=(now.owner, order.symbol))
    if beside is None:
        return Refusal(
            Denial.EXPOSURE_ABOVE_LIMIT,
            f"another account of world {now.owner.world_id} cannot be valued, so its exposure may be above its limits",
        )
    if rest is None:
        return _unvalued(now)
    return _beyond(order, now, beside + rest + own, "world", gross_max, net_max)


def _beyond(
    order: Order, now: RiskContext, total: Exposure, whose: str, gross_max: int, net_max: int
) -> Refusal | None:
    for kind, amount, most in (("gross", total.gross, gross_max), ("net", total.net(order.side), net_max)):
        if most and amount > most:
            return _above(
                Denial.EXPOSURE_ABOVE_LIMIT,
                f"{kind} exposure of the {whose} {now.base_money(amount)}",
                f"{whose}_{kind}_max {now.base_money(most)}",
            )
    return None


def buying_power(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """What an order opens is covered by free money; on cash nothing is sold short.

    Under margin an order is judged on the position after its closing part: by what the account then holds more.
    """
    funding, quote = now.view.profile.funding, now.instrument.quote
    if funding.kind is BuyingPower.CASH:
        if order.side is Side.SELL:
            together = now.reach(order, sized)
            return _short(order, now, together) if together > now.held else None
        return _covered(funding.needed(now.instrument, now.price_of(sized), sized.quantity), quote, now)
    view, instrument = now.view, now.instrument
    try:
        more = totals_of_new(order, sized, instrument)
        after = view.held_at_worst(now.owner, instrument, more, order.side)
    except InvalidRequest:
        return Refusal(Denial.BALANCE_INSUFFICIENT, f"the order in {order.symbol} needs more than can be counted")
    needed = after - view.held_at_worst(now.owner, instrument, NO_OPEN_ORDERS, order.side)
    if needed <= 0:
        return None
    worth, base = view.in_base(needed, quote), view.base_currency
    if worth is None:
        return Refusal(Denial.BALANCE_INSUFFICIENT, f"{quote} cannot be valued in {base}, so nothing covers it")
    return _covered(worth, base, now)


def short_available(order: Order, sized: SizedOrder, now: RiskContext) -> Refusal | None:
    """On margin no more is sold short, over all owners of the account, than the profile has to borrow that day."""
    profile = now.view.profile
    if order.side is Side.BUY or not profile.borrow or profile.buying_power is BuyingPower.CASH:
        return None
    available = profile.borrowed(order.symbol, now.at_ns).available
    short = max(now.reach(order, sized) - now.held, 0)
    if available is None or not short:
        return None
    for owner, book in now.view.books.items():
        if owner != now.owner:
            held = book.held(order.symbol)
            short += max(book.open_totals(order.symbol, Side.SELL).reach(Side.SELL, held) - held, 0)
    if short <= available:
        return None
    sold, most = (format_decimal(now.instrument.quantity_decimal(amount)) for amount in (short, available))
    message = f"with its open orders the account would be short {sold} {order.symbol}, {most} can be borrowed"
    return Refusal(Denial.SHORT_UNAVAILABLE, message)


def _covered(cost: int, currency: str, now: RiskContext) -> Refusal | None:
    free = now.view.free(currency)
    if cost <= free:
        return None
    left = f"{money_text(currency, free)} {currency}" if free > 0 else f"nothing ({currency})"
    return Refusal(
        Denial.BALANCE_INSUFFICIENT, f"the order needs {money_text(currency, cost)} {currency}, free is {left}"
    )


def _short(order: Order, now: RiskContext, together: int) -> Refusal:
    instrument = now.instrument
    sold, held = (format_decimal(instrument.quantity_decimal(amount)) for amount in (together, now.held))
    message = (
        f"with its open orders {sold} {order.symbol} would be sold, held are {held}: a cash account sells no shorts"
    )
    return Refusal(Denial.SHORT_UNAVAILABLE, message)


def _above(denial: Denial, amount: str, limit: str) -> Refusal:
    return Refusal(denial, f"{amount} would be above {limit}")


def _share(rate: int) -> str:
    return format_decimal(from_scaled(rate, RATE_SCALE))
