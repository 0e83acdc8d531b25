"""Whether a run is one that the kernel covers, and its terms, bars and commands in integers of 64 bits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from brokerage.domain.backtest.compiled.account import AccountTerms
from brokerage.domain.market.bars import COARSE_NS, BarColumns, Integers, Units, price_units_of, whole_numbers
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.percent import FeeCurrency, PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.money import RATE_ONE, currency_scale
from qmtl.core.decimals import to_decimal, to_scaled
from qmtl.core.errors import InvalidRequest
from qmtl.sdk.execution.compiled.exits import ExitTerms, Ranges
from qmtl.sdk.execution.compiled.kernel import Commands, Market
from qmtl.sdk.execution.compiled.sizing import SizingTerms
from qmtl.sdk.execution.stepping.commands import NodeCommands
from qmtl.sdk.strategy.bracket import Bracket
from qmtl.sdk.strategy.rules import Sizing, TradeRule

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats, Times

_END = 1 << 60
_QUOTIENTS_EXACT = 26
"""Digits below which the decimals that exits are reckoned in, of 28 digits, round no quotient to the next tick."""
_POWERS_SAFE = 16
"""Powers of ten below this are doubles, so that a quotient by one is the double nearest to the decimal."""


@dataclass(frozen=True, slots=True, eq=False)
class Covered:
    """A run in integers. `price_unit` is what one unit of the kernel's prices is, at the instrument's price scale;
    `exits` and `ranges` are those of a bracket, None where the rule has none.
    """

    terms: AccountTerms
    sizing: SizingTerms
    market: Market
    commands: Commands
    price_unit: int
    exits: ExitTerms | None = None
    ranges: Ranges | None = None


class NotCovered(Exception):
    """Why a run is not covered."""


def cover(
    profile: BrokerageProfile, columns: BarColumns, rule: TradeRule, nodes: NodeCommands, currency: str
) -> Covered | str:
    """The run in integers, or why it is not covered."""
    try:
        _require_plain(profile, columns, rule, currency)
        return _integers(profile, columns, rule, nodes)
    except NotCovered as why:
        return str(why)
    except InvalidRequest as error:
        return f"prices or lots that are not those of the instrument: {error}"


def _require_plain(profile: BrokerageProfile, columns: BarColumns, rule: TradeRule, currency: str) -> None:
    instrument, fee = columns.instrument, profile.fee
    begins = columns.start_ns
    reasons = (
        (rule.limit is not None, "entries by limit orders"),
        (rule.bracket is not None and bool(instrument.calendar), "exits at an exchange with sessions"),
        (type(fee) is not PercentFee, f"a fee that is no share of the notional ({type(fee).__name__})"),
        (isinstance(fee, PercentFee) and fee.taker < 0, "a rebate for what takes"),
        (_takes_base(profile, instrument), "a fee in what is bought"),
        (type(profile.slippage) is not ConstantSlippage, f"slippage by {type(profile.slippage).__name__}"),
        (profile.margins is not None, f"margins by {type(profile.margins).__name__}"),
        (profile.funding.by_tiers(instrument), "margin tiers"),
        (profile.moves_with_time, "money that time moves: settlement, interest, borrow or funding"),
        (bool(instrument.listed_ns or instrument.delisted_ns), "dates of listing or delisting"),
        (instrument.pays_profit_only, "a future, whose profit is paid each day"),
        (instrument.quote != currency, "a quote currency that is not the account's"),
        (bool(instrument.calendar) and columns.interval_ns > COARSE_NS, "long bars of an exchange with sessions"),
        (bool((np.diff(begins) < columns.interval_ns).any()), "bars that overlap"),
    )
    for holds, why in reasons:
        if holds:
            raise NotCovered(why)


def _takes_base(profile: BrokerageProfile, instrument: Instrument) -> bool:
    fee = profile.fee
    in_base = isinstance(fee, PercentFee) and fee.currency is FeeCurrency.BASE_ON_BUY
    return in_base and instrument.withholds(instrument.base)


def _integers(profile: BrokerageProfile, columns: BarColumns, rule: TradeRule, nodes: NodeCommands) -> Covered:
    instrument = columns.instrument
    seen = _seen(columns, nodes)
    ranges = [] if rule.bracket is None else [columns.high, columns.low]
    unit = _unit(instrument, [columns.open, columns.close, seen, *ranges])
    opened, close, price = (_in_units(one, unit) for one in (columns.open, columns.close, seen))
    lot = instrument.lot if rule.lot is None else to_scaled(rule.lot, instrument.quantity_scale)
    sizing, units = _sizing(instrument, rule.sizing, nodes, lot, unit)
    terms = terms_of(profile, instrument, unit)
    highest = max((int(one.max()) for one in (opened, close, price) if len(one)), default=0)
    if highest >= terms.price_end or highest >= _END // lot or sizing.down >= _END // lot:
        raise NotCovered("prices or lots beyond 64 bits")
    if any(len(one) and int(one.min()) <= 0 for one in (opened, close, price)):
        raise NotCovered("a price that is not above 0")
    market = Market(opened, close, _whole(columns.volume, columns.volume.factor))
    found = Covered(terms, sizing, market, Commands(nodes.row_at, nodes.changes, nodes.targets, units, price), unit)
    if rule.bracket is None:
        return found
    high, low = (_in_units(one, unit) for one in (columns.high, columns.low))
    if len(low) and (int(low.min()) <= 0 or int(high.max()) >= terms.price_end):
        raise NotCovered("prices or lots beyond 64 bits")
    exits = _exits(rule.bracket, profile, terms, max(highest, int(high.max()) if len(high) else 0))
    return replace(found, exits=exits, ranges=Ranges(high, low, columns.start_ns, columns.interval_ns))


def _exits(bracket: Bracket, profile: BrokerageProfile, terms: AccountTerms, highest: int) -> ExitTerms:
    """The distances of a bracket as integers over one divisor."""
    fee, shares = profile.fee, (bracket.stop, bracket.target, bracket.trailing)
    if not isinstance(fee, PercentFee) or fee.maker < 0:
        raise NotCovered("a rebate for what rests")
    given = [one for one in shares if one is not None]
    places = max(max(-int(one.as_tuple().exponent), 0) for one in given)
    down = 10**places
    most = max(int(one.scaleb(places)) for one in given) + down
    if highest * most * terms.tick >= 10**_QUOTIENTS_EXACT or most * terms.tick >= _END:
        raise NotCovered("exits at prices of too many digits")
    stop, target, trail = (0 if one is None else int(one.scaleb(places)) for one in shares)
    return ExitTerms(stop, target, trail, down, fee.maker, len(given))


def _seen(columns: BarColumns, nodes: NodeCommands) -> Units:
    """The prices that commands saw, which are closes as a rule: those are exact already."""
    close, instrument = columns.close, columns.instrument
    if close.whole.dtype == np.int64 and len(nodes.row_at) == len(close.whole):
        closes, power = close.whole[nodes.row_at >= 0], 10**instrument.price_scale // close.factor
        if power < 10**_POWERS_SAFE and np.array_equal(closes / float(power), nodes.prices):
            return Units(closes, close.factor)
    return price_units_of(instrument, nodes.prices)


def _unit(instrument: Instrument, columns: list[Units]) -> int:
    """The largest power of ten that divides the tick and all prices."""
    unit = 1
    while all(number % (unit * 10) == 0 for number in (instrument.tick, *(one.factor for one in columns))):
        unit *= 10
    return unit


def _in_units(column: Units, unit: int) -> Times:
    return _whole(column, column.factor // unit)


def _whole(column: Units, factor: int) -> Times:
    whole: Integers = column.whole
    if whole.dtype != np.int64:
        raise NotCovered("prices or volumes beyond 64 bits")
    most = max(int(whole.max()), -int(whole.min())) if len(whole) else 0
    if most * factor >= _END:
        raise NotCovered("prices or volumes beyond 64 bits")
    found: Times = (whole if factor == 1 else whole * factor).astype(np.int64, copy=False)
    return found


def _sizing(
    instrument: Instrument, sizing: Sizing, nodes: NodeCommands, lot: int, unit: int
) -> tuple[SizingTerms, Times]:
    """How targets become quantities, and the targets as integers."""
    at = nodes.row_at[nodes.changes]
    targets = np.append(0.0, nodes.targets[at])  # 0 before the first that changed
    if not np.isfinite(targets).all():
        raise NotCovered("a target that is not a finite number")
    whole, places = _exact(targets)
    price_places = instrument.price_scale - len(str(unit)) + 1
    fraction = sizing is Sizing.EQUITY_FRACTION
    shift = instrument.quantity_scale - places
    if fraction:
        shift += price_places - currency_scale(instrument.quote)
    most, up, down = int(np.abs(whole).max()) if len(whole) else 0, 10 ** max(shift, 0), 10 ** max(-shift, 0)
    if most * up >= _END or down >= _END:
        raise NotCovered("targets beyond 64 bits")
    return SizingTerms(fraction, down, lot), np.repeat(whole * up, np.diff(at, prepend=0, append=len(nodes.targets)))


def _exact(targets: Floats) -> tuple[Times, int]:
    """Targets as integers and their places: each double is the shortest decimal that reads back as it."""
    found = whole_numbers(targets)
    if found is not None:
        return found
    distinct, rows = np.unique(targets, return_inverse=True)
    decimals = [to_decimal(value).as_tuple() for value in distinct.tolist()]
    places = max(max(-int(one.exponent), 0) for one in decimals)
    units = [int(to_decimal(value).scaleb(places)) for value in distinct.tolist()]
    if any(abs(one) >= _END for one in units):
        raise NotCovered("targets beyond 64 bits")
    exact: Times = np.array(units, dtype=np.int64)[rows]
    return exact, places


def terms_of(profile: BrokerageProfile, instrument: Instrument, unit: int) -> AccountTerms:
    """What does not change in a run, in prices of `unit` units of the instrument's scale."""
    fee, slippage = profile.fee, profile.slippage
    if not isinstance(fee, PercentFee) or not isinstance(slippage, ConstantSlippage):
        raise NotCovered("a fee or slippage of another kind")
    up, down = instrument.value_ratio
    common = gcd(up * unit, down)
    up, down = up * unit // common, down // common
    moved = instrument.tick // unit * (RATE_ONE if slippage.rate else 1)  # what `moved` divides by
    amounts = (instrument.lot, instrument.quantity_max, instrument.notional_max, down, up, moved)
    if any(amount >= _END for amount in amounts):
        raise NotCovered("an instrument whose units are beyond 64 bits")
    return AccountTerms(
        leverage=profile.leverage if profile.buying_power is BuyingPower.MARGIN else 0,
        value_up=up,
        value_down=down,
        price_end=_END // up,
        lot=instrument.lot,
        quantity_min=instrument.quantity_min,
        quantity_max=instrument.quantity_max,
        notional_min=instrument.notional_min,
        notional_max=instrument.notional_max,
        taker=fee.taker,
        fee_bound=max(fee.maker, fee.taker, 0),
        slippage=slippage.rate,
        tick=instrument.tick // unit,
        participation=profile.participation,
    )
