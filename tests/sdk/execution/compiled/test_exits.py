"""The exits of a bracket in integers are those of the rules of orders on bars: prices, fills, what comes first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.fills.brackets import Rival, first_filled
from brokerage.domain.models.fills.matching import match
from brokerage.domain.models.fills.outcome import Match
from brokerage.domain.models.fills.trailing import Trail, stop_behind
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.money import rate
from brokerage.domain.orders.events import EventTime, Liquidity, OrderEvent
from brokerage.domain.orders.order import Order, Owner, Side, TrailOffsetType
from brokerage.domain.orders.record import OrderRecord, born, happened
from brokerage.domain.orders.states import EventKind, OrderType
from qmtl.sdk import Bracket
from qmtl.sdk.execution.compiled import exits as compiled
from qmtl.sdk.execution.compiled.coverage import terms_of
from qmtl.sdk.execution.compiled.kernel import Market
from tests.support.shared.examples import examples

MINUTE = 60 * 10**9
TRADED = instrument("AAA-USD", base="AAA", quote="USD", tick="0.05", lot="0.1", price_places=2)
SHARES = st.sampled_from(["", "0.01", "0.0137", "0.5", "0.003"])
TICKS = st.integers(1_990, 2_010)


def terms_with(exits: Bracket) -> compiled.ExitTerms:
    """The distances of a bracket over ten thousand, where what rests pays half of what takes."""
    stop, target, trail = (
        0 if one is None else int(one * 10_000) for one in (exits.stop, exits.target, exits.trailing)
    )
    return compiled.ExitTerms(stop, target, trail, 10_000, 50_000, sum(map(bool, (stop, target, trail))))


@given(
    price=st.integers(1, 400_000),
    long=st.booleans(),
    stop=SHARES,
    target=st.sampled_from(["", "0.02", "0.0311", "0.9", "1.2"]),
    trailing=SHARES.filter(bool),
)
@settings(deadline=None, max_examples=examples(150, 1_000))
def test_prices_of_exits_are_those_of_the_bracket(
    price: int, long: bool, stop: str, target: str, trailing: str
) -> None:
    bracket = Bracket(stop=stop, target=target, trailing=trailing)
    terms, at = terms_of(margin(2), TRADED, 1), terms_with(bracket)
    tick = TRADED.price_decimal(TRADED.tick)
    wanted = bracket.prices(TRADED.price_decimal(price), long=long, tick=tick)
    sure, found = compiled.placed(terms, at, price, long)
    asked = (bracket.stop, bracket.target)
    if any(share is not None and one is None for share, one in zip(asked, wanted, strict=True)):
        assert not sure
    else:
        assert sure
        assert (found.stop, found.target) == tuple(0 if one is None else TRADED.price_units(one) for one in wanted)
    followed = compiled.behind(terms, at, price, long)
    side = Side.SELL if long else Side.BUY
    behind = stop_behind(side, price, Trail(D(trailing), TrailOffsetType.FRACTION), TRADED)
    assert followed == behind or (followed < 0 and behind == TRADED.tick)


def resting(kind: OrderType, side: Side, price: int, since_ns: int, trailing: D | None) -> OrderRecord:
    """An exit that rests."""
    offset = {} if trailing is None else {"trail_offset": trailing, "trail_offset_type": TrailOffsetType.FRACTION}
    order = Order(Owner("a", "", ""), kind.value, TRADED.symbol, side, D(1), type=kind, **offset)  # type: ignore[arg-type]
    limit, stop = (price, None) if kind is OrderType.LIMIT else (None, price)
    time = EventTime(since_ns, since_ns)
    first = OrderEvent(
        kind.value, 1, EventKind.INITIALIZED, since_ns, since_ns, quantity=10, limit=limit, stop=stop, expire_ns=None
    )
    record = born(order, TRADED, first)
    for event in (EventKind.SUBMITTED, EventKind.ACCEPTED):
        record, _ = happened(record, event, time)
    return record


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    """A bar on or near some ticks, at times one without volume."""
    opened, close, more, less = draw(TICKS), draw(TICKS), draw(st.integers(0, 6)), draw(st.integers(0, 6))
    high, low = max(opened, close) + more, min(opened, close) - less
    begin = MINUTE * draw(st.sampled_from([1, 1, 2, 5]))
    volume = draw(st.sampled_from([0, 50, 95, 100, 10_000]))
    return Bar(begin, begin + MINUTE, opened * 5, high * 5, low * 5, close * 5, volume)


@given(
    bar=bars(),
    long=st.booleans(),
    prices=st.tuples(*[st.one_of(st.none(), TICKS)] * 3).filter(any),
    slippage=st.sampled_from(["0", "0.0005"]),
    participation=st.sampled_from([0, 10_000_000]),
)
@settings(deadline=None, max_examples=examples(300, 3_000))
def test_a_bar_meets_exits_as_it_meets_orders_of_which_only_one_fills(
    bar: Bar, long: bool, prices: tuple[int | None, int | None, int | None], slippage: str, participation: int
) -> None:
    stop, trail, target = (0 if one is None else one * 5 for one in prices)
    model, side, trailing = ConstantSlippage(rate(slippage)), Side.SELL if long else Side.BUY, D("0.002")
    profile = replace(margin(2), fee=PercentFee(50_000, 100_000), slippage=model, participation=participation)
    budget = -1 if not participation else bar.volume // 10
    kinds = (
        (compiled.STOP, OrderType.STOP_MARKET, stop),
        (compiled.TRAIL, OrderType.TRAILING_STOP, trail),
        (compiled.TARGET, OrderType.LIMIT, target),
    )
    rivals: list[tuple[int, Rival]] = []
    for part, kind, price in kinds:
        if price:
            record = resting(kind, side, price, MINUTE, trailing if part == compiled.TRAIL else None)
            rivals.append((part, Rival(kind.value, side, match(record, bar, model, budget))))
    first = first_filled([one for _, one in rivals])
    terms = terms_of(profile, TRADED, 1)
    at = compiled.ExitTerms(1, 1, 20, 10_000, 50_000, 3)
    ranges = compiled.Ranges([bar.high], [bar.low], [bar.start_ns], MINUTE)
    market = Market([bar.open], [bar.close], [bar.volume])
    found = compiled.met(
        terms, at, market, ranges, 0, 10 if long else -10, compiled.Exits(stop, target, trail, 3, MINUTE)
    )
    reached = [one for _, one in rivals if one.match.price]
    if any(one.match.quantity < 10 for one in reached):
        assert not found.sure  # a part of the volume is left to the event path
    elif first is not None:
        assert found.sure
        part = next(part for part, one in rivals if one is first)
        filled: Match = first.match
        assert (found.part, found.price, found.at_open) == (part, filled.price, filled.at_open)
        assert found.made is (filled.liquidity is Liquidity.MAKER)
        assert found.exits.moves == 3
    else:
        assert found.sure
        assert found.part == compiled.MARKET
        moved = [one.match.stop for part, one in rivals if part == compiled.TRAIL and one.match.stop is not None]
        assert (found.exits.trail, found.exits.moves) == ((moved[0], 4) if moved else (trail, 3))


def test_exits_far_from_the_last_price_or_beyond_what_is_allowed_are_not_sure() -> None:
    terms = terms_of(margin(2), replace(TRADED, notional_max=5_000 * 10**8), 1)
    near = compiled.Exits(990, 1_010, 995, 0, 0)
    assert compiled.accepted(terms, near, 1_000, 10)
    assert compiled.accepted(terms, near._replace(stop=100), 1_000, 10)
    assert not compiled.accepted(terms, near._replace(stop=99), 1_000, 10)
    assert compiled.accepted(terms, near._replace(target=10_000), 1_000, 10)
    assert not compiled.accepted(terms, near._replace(target=10_001), 1_000, 10)
    assert not compiled.accepted(terms, near._replace(trail=99), 1_000, 10)
    assert not compiled.accepted(terms, near, 1_000, 10**9)


def test_prices_of_exits_end_where_sums_of_them_are_within_64_bits() -> None:
    terms = terms_of(margin(2), TRADED, 1)
    end = (1 << 59) // terms.tick
    assert terms.tick == 5
    assert compiled.distant(terms, (end - 1) * 5, 1, 1, False) == (end - 1) * 5
    assert compiled.distant(terms, end * 5, 1, 1, False) < 0
    assert compiled.distant(terms, 1 << 62, 1 << 62, 1, False) < 0  # a product that cannot be proved
    assert compiled.distant(terms, 5, 1, 1, False) == 5
    assert compiled.distant(terms, 4, 1, 1, False) < 0, "no price is below one tick"
    assert compiled.distant(terms, 4, 1, 1, True) == 5
    assert compiled.distant(terms, 5, 0, 1, True) < 0
