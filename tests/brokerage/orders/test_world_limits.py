"""Limits of a world: each bound at its edge, the tighter of market and world, and how they last in a real store."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.accounts.position import Position
from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.risk.exposure import Exposure
from brokerage.domain.risk.fence import replaced
from brokerage.domain.risk.limits import NO_LIMITS, NOTHING, Limits, tightened
from brokerage.domain.risk.rules import WORLD_LIMIT
from qmtl.core.decimals import INT64_MAX, to_scaled
from qmtl.core.errors import NotReady
from qmtl.core.limits import UNLIMITED, RiskLimits
from tests.brokerage.samples import (
    LIMIT_NAMES,
    fence,
)

HOUR = 3_600_000_000_000
UNIT = 10**8
COIN = instrument("COIN", base="COIN", quote="USD", lot="0.01", price_places=2)
OWN_NAMES = {
    "order_notional_max": "order_notional_max",
    "long_notional_max": "position_notional_max",
    "short_notional_max": "position_notional_max",
    "gross_notional_max": "world_gross_max",
    "net_notional_max": "world_net_max",
}
ADDED = (
    "INSERT INTO world_fences (world_id, epoch, state, effective_mode, updated_ns) VALUES ('w1', 1, 'OPEN', 'PAPER', 5)"
)
SIDES = {"short_notional_max": Side.SELL}
NAMED = {
    "order_notional_max": Denial.NOTIONAL_ABOVE_LIMIT,
    "long_notional_max": Denial.POSITION_ABOVE_LIMIT,
    "short_notional_max": Denial.POSITION_ABOVE_LIMIT,
    "gross_notional_max": Denial.EXPOSURE_ABOVE_LIMIT,
    "net_notional_max": Denial.EXPOSURE_ABOVE_LIMIT,
}
every_limit = pytest.mark.parametrize("name", LIMIT_NAMES)


def limits(**amounts: str) -> RiskLimits:
    return RiskLimits(**{name: Decimal(amount) for name, amount in amounts.items()})


def account(held: int = 0, own: Limits | None = None, cash: int = 10_000) -> SimulatedAccount:
    """A margin account that holds some coins at a price of 10."""
    profile = margin(10, fee="0", participation="0")
    made = SimulatedAccount(profile, {"USD": Decimal(cash)}, instruments=[COIN], limits=own or NO_LIMITS)
    made.on_bar("COIN", Bar(0, HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    if held:
        made.submit(act(Side.BUY if held > 0 else Side.SELL, abs(held), "hold"), HOUR)
        made.on_bar("COIN", Bar(HOUR, 2 * HOUR, 10_00, 10_00, 10_00, 10_00, 10**9))
    assert made.position("COIN") == held
    return made


def act(side: Side, quantity: float | str, name: str = "act") -> Order:
    return Order(LOCAL, name, "COIN", side, Decimal(str(quantity)))


def verdict(made: SimulatedAccount, wanted: Order, world: RiskLimits = UNLIMITED) -> Denial | None:
    made.view.world_limits = world
    return made.submit(wanted, 2 * HOUR)[-1].denial


@every_limit
@pytest.mark.parametrize(("amount", "passes"), [("20", True), ("19.99999999", False), ("20.00000001", True)])
def test_exactly_at_a_limit_passes_and_one_unit_above_is_denied(name: str, amount: str, passes: bool) -> None:
    wanted = act(SIDES.get(name, Side.BUY), 2)
    assert verdict(account(), wanted, limits(**{name: amount})) is (None if passes else NAMED[name])


@every_limit
@pytest.mark.parametrize("held", [5, -5])
def test_what_reduces_passes_every_limit_and_what_turns_round_does_not(name: str, held: int) -> None:
    side = Side.SELL if held > 0 else Side.BUY
    tight = limits(**{name: "0.01"})
    assert verdict(account(held), act(side, 5), tight) is None
    binds = name not in ("long_notional_max", "short_notional_max") or side is SIDES.get(name, Side.BUY)
    assert verdict(account(held), act(side, 11), tight) is (NAMED[name] if binds else None)


@pytest.mark.parametrize(("side", "name"), [(Side.BUY, "long_notional_max"), (Side.SELL, "short_notional_max")])
def test_a_position_is_bounded_on_its_own_side_with_its_open_orders(side: Side, name: str) -> None:
    tight, other = limits(**{name: "50"}), Side.SELL if side is Side.BUY else Side.BUY
    assert verdict(account(), act(other, 100), tight) is None
    made = account(2 * side.sign)
    assert verdict(made, act(side, 2, "a"), tight) is None
    assert verdict(made, act(side, "1.01", "b"), tight) is Denial.POSITION_ABOVE_LIMIT
    assert verdict(made, act(side, 1, "c"), tight) is None


def test_gross_and_net_count_what_stands_around() -> None:
    made = account()
    made.view.world_beside = Exposure(70 * UNIT, -70 * UNIT, -70 * UNIT)
    made.view.book(Owner("local", "", "other")).ledger.restore(COIN, Position(quantity=3_00, cost=30 * UNIT))
    assert verdict(made, act(Side.BUY, 6, "a"), limits(gross_notional_max="159.99")) is Denial.EXPOSURE_ABOVE_LIMIT
    assert verdict(made, act(Side.BUY, 6, "b"), limits(gross_notional_max="160", net_notional_max="20")) is None
    assert verdict(made, act(Side.BUY, "0.01", "c"), limits(net_notional_max="20")) is Denial.EXPOSURE_ABOVE_LIMIT
    assert verdict(made, act(Side.SELL, 1, "d"), limits(net_notional_max="50")) is None
    assert verdict(made, act(Side.SELL, "0.01", "e"), limits(net_notional_max="50")) is Denial.EXPOSURE_ABOVE_LIMIT


@pytest.mark.parametrize("name", ["gross_notional_max", "net_notional_max"])
def test_a_world_that_is_not_known_is_over_its_limit_and_no_other(name: str) -> None:
    made = account()
    made.view.world_beside = None
    assert verdict(made, act(Side.BUY, 1, "a"), limits(**{name: "1000000"})) is Denial.EXPOSURE_ABOVE_LIMIT
    assert verdict(made, act(Side.BUY, 1, "b"), limits(order_notional_max="10", long_notional_max="10")) is None


@every_limit
@pytest.mark.parametrize(
    ("market", "world", "of_world"), [(20, "30", False), (30, "20", True), (0, "20", True), (20, "20", False)]
)
def test_a_denial_says_whether_only_the_world_refused(name: str, market: int, world: str, of_world: bool) -> None:
    made = account(own=Limits(**{OWN_NAMES[name]: market * UNIT}))
    made.view.world_limits = limits(**{name: world})
    denied = made.submit(act(SIDES.get(name, Side.BUY), "2.01"), 2 * HOUR)[-1]
    assert (denied.denial, denied.detail.startswith(WORLD_LIMIT)) == (NAMED[name], of_world)


def test_a_denial_is_of_the_world_also_where_a_later_rule_of_the_own_would_refuse() -> None:
    made = account(cash=10)
    made.view.world_limits = limits(order_notional_max="20")
    first = made.submit(act(Side.BUY, 100, "a"), 2 * HOUR)[-1]
    assert first.denial is Denial.NOTIONAL_ABOVE_LIMIT
    assert first.detail == (
        "WORLD_LIMIT: notional 1000 USD would be above order_notional_max 20 USD, "
        "by gating_policy.risk_limits of world "
    )
    made.view.world_limits = UNLIMITED
    second = made.submit(act(Side.BUY, 100, "b"), 2 * HOUR)[-1]
    assert second.denial is Denial.BALANCE_INSUFFICIENT
    assert second.detail == "the order needs 100 USD, free is 10 USD"


def test_a_denial_of_the_own_alone_is_not_told_as_one_of_the_world() -> None:
    made = account(cash=10)
    made.view.world_limits = limits(order_notional_max="100000")
    denied = made.submit(act(Side.BUY, 100), 2 * HOUR)[-1]
    assert denied.denial is Denial.BALANCE_INSUFFICIENT
    assert not denied.detail.startswith(WORLD_LIMIT)


@every_limit
@pytest.mark.parametrize(("market", "world"), [(20, "30"), (30, "20"), (0, "20")])
def test_the_tighter_of_own_and_world_binds(name: str, market: int, world: str) -> None:
    own, side = Limits(**{OWN_NAMES[name]: market * UNIT}), SIDES.get(name, Side.BUY)
    assert verdict(account(own=own), act(side, "2.01"), limits(**{name: world})) is NAMED[name]
    assert verdict(account(own=own), act(side, 2), limits(**{name: world})) is None


@every_limit
@pytest.mark.parametrize(
    ("market", "world", "want"),
    [
        (5, "1", 5),
        (0, "1.000000009", UNIT),
        (0, "0." + "9" * 38, UNIT - 1),
        (0, "0.00000001", 1),
        (0, "0.000000009", NOTHING),
        (5, "0.000000009", NOTHING),
        (0, "92233720368.54775808", INT64_MAX),
        (0, "9" * 38, INT64_MAX),
        (5, "9" * 38, 5),
    ],
)
def test_an_amount_is_rounded_down_and_kept_in_int64(name: str, market: int, world: str, want: int) -> None:
    own, field = Limits(**{OWN_NAMES[name]: market}), OWN_NAMES[name]
    found = tightened(own, limits(**{name: world}), SIDES.get(name, Side.BUY), 8)
    assert found == replace(own, **{field: want})


def test_no_limits_leave_the_own_as_they_are() -> None:
    assert tightened(NO_LIMITS, UNLIMITED, Side.BUY, 8) is NO_LIMITS
    assert tightened(NO_LIMITS, limits(long_notional_max="1"), Side.SELL, 8) == NO_LIMITS


@every_limit
def test_a_limit_below_one_unit_lets_nothing_be_added_not_even_one_unit(name: str) -> None:
    dust = instrument("DUST", base="DUST", quote="USD", tick="0.00000001", price_places=2)
    made = SimulatedAccount(margin(fee="0"), {"USD": Decimal(1)}, instruments=[dust])
    made.on_bar("DUST", Bar(0, HOUR, 1, 1, 1, 1, 10**9))
    wanted = replace(act(SIDES.get(name, Side.BUY), 1), symbol="DUST")
    assert verdict(made, wanted, limits(**{name: "0.00000001"})) is None
    again = replace(wanted, client_order_id="again")
    made.cancel("act", 2 * HOUR)
    assert verdict(made, again, limits(**{name: "0.000000009"})) is NAMED[name]


@every_limit
@pytest.mark.parametrize(("amount", "passes"), [("100", True), ("99.9999", False), ("99.99999", False)])
def test_amounts_are_in_the_currency_at_its_own_scale(name: str, amount: str, passes: bool) -> None:
    yen = instrument("YEN", base="YEN", quote="JPY", tick="1", price_places=0)
    made = SimulatedAccount(margin(fee="0"), {"JPY": Decimal(10_000)}, instruments=[yen])
    made.on_bar("YEN", Bar(0, HOUR, 100, 100, 100, 100, 10**9))
    wanted = replace(act(SIDES.get(name, Side.BUY), 1), symbol="YEN")
    assert verdict(made, wanted, limits(**{name: amount})) is (None if passes else NAMED[name])


@every_limit
@pytest.mark.parametrize(("amount", "passes"), [("100", True), ("99.99999999", False), ("0.00001", False)])
def test_own_limits_are_in_the_currency_too(name: str, amount: str, passes: bool) -> None:
    """They are set at one scale, before it is known what an order is valued in."""
    yen = instrument("YEN", base="YEN", quote="JPY", tick="1", price_places=0)
    own = Limits(**{OWN_NAMES[name]: to_scaled(Decimal(amount), 8)})
    made = SimulatedAccount(margin(fee="0"), {"JPY": Decimal(10_000)}, instruments=[yen], limits=own)
    made.on_bar("YEN", Bar(0, HOUR, 100, 100, 100, 100, 10**9))
    wanted = replace(act(SIDES.get(name, Side.BUY), 1), symbol="YEN")
    assert verdict(made, wanted, UNLIMITED) is (None if passes else NAMED[name])


def test_limits_are_part_of_what_an_epoch_says() -> None:
    stored = fence(3, limits=limits(order_notional_max="1.50"))
    assert not replaced(stored, fence(3, limits=limits(order_notional_max="1.5")))
    assert replaced(stored, fence(4))
    for other in (UNLIMITED, limits(order_notional_max="1.51"), limits(long_notional_max="1.5")):
        with pytest.raises(NotReady, match="E_STALE_EPOCH"):
            replaced(stored, fence(3, limits=other))
