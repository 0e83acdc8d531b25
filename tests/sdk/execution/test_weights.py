"""Weights bound positions, not orders: |position| <= weight x |target| + 1 lot on any path of targets and weights."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Side
from gateway.orders.domain import GatedOrder, check_canary_share
from qmtl.core.traffic import version_of
from qmtl.sdk import Sizing
from qmtl.sdk.execution.port import OrderReply, Weights
from tests.sdk.execution.portfolios import Portfolio

COIN = instrument("C", base="C", quote="USD", lot="0.001", price_places=2)
TARGETS = st.lists(st.integers(-50, 50).map(lambda target: target / 100), min_size=1, max_size=25)
WEIGHTS = st.lists(st.integers(0, 100), min_size=25, max_size=25)


@given(TARGETS, WEIGHTS, st.sampled_from([0, 1]), st.sampled_from(list(Sizing)))
@settings(max_examples=60, deadline=None)
def test_a_position_is_within_its_weight_of_the_target_whatever_came_before(
    targets: list[float], weights: list[int], changing: int, sizing: Sizing
) -> None:
    made = Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0}, sizing)
    for number, target in enumerate(targets):
        share = weights[number * changing]
        made.weigh(Decimal(share) / 100)
        made.play({"C": target}, bars=3)
        whole = abs(Decimal(repr(target))) * (made.equity / 100 if sizing is Sizing.EQUITY_FRACTION else 1)
        most = whole * share / 100
        assert abs(abs(made.account.position("C")) - most) <= made.account.lot("C") * 2
        assert abs(made.account.position("C")) <= most + made.account.lot("C")


class Canary:
    """Two versions of one strategy on one account, each with targets of its own, behind the gate's canary shares."""

    def __init__(self) -> None:
        self.versions = {1: Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0})}
        self.versions[2] = Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0}, beside=self.versions[1])
        self.shares: dict[int, float] = {}
        for version, made in self.versions.items():
            made.gate = partial(self._refused, version)

    def _refused(self, version: int, quantity: Decimal) -> OrderReply | None:
        order = GatedOrder("s", buys=quantity > 0, reduce_only=False, position_side=None, symbol="C", version=version)
        refused = check_canary_share(order, self.shares)
        return None if refused is None else OrderReply(refused.denial.value, refused.reason)


@given(st.lists(st.tuples(st.integers(-50, 50), st.sampled_from([-50, -3, 7, 40])), min_size=4, max_size=16), st.data())
@settings(max_examples=25, deadline=None)
def test_a_version_that_takes_a_symbol_over_holds_its_own_weighed_target_and_nothing_beside(
    targets: list[tuple[int, int]], data: st.DataObject
) -> None:
    made, owner = Canary(), 1
    rises = sorted(data.draw(st.lists(st.integers(0, 100), min_size=len(targets), max_size=len(targets))))
    weight = data.draw(st.integers(0, 100))
    for (first, second), rise in zip(targets, rises, strict=True):
        made.shares = {1: 1 - rise / 100, 2: rise / 100}
        owner = version_of("s", "C", made.shares) or owner
        for number, target in ((1, first), (2, second)):
            made.versions[number].weigh(Decimal(weight) / 100)
            made.versions[number].play({"C": target / 100}, bars=3)
        made.versions[1].bar()
        held, lot = made.versions[1].account.position("C"), made.versions[1].account.lot("C")
        most = Decimal(abs((first, second)[owner - 1])) * weight / 10_000 * made.versions[1].equity / 100
        assert most - 2 * lot <= abs(held) <= most + lot


def test_a_weight_of_a_tenth_does_not_grow_with_a_target_that_wobbles() -> None:
    made = Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0})
    made.weigh(Decimal("0.1"))
    for step in range(100):
        made.play({"C": 0.5 if step % 2 else 0.4}, bars=2)
        assert made.account.position("C") * 100 / made.equity <= Decimal("0.05")


def test_a_weight_that_falls_takes_the_position_with_it_and_one_that_rises_too() -> None:
    made = Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0}, Sizing.UNITS)
    for weight, held in (("0.5", 5), ("0.1", 1), ("0.1", 1), ("1", 10), ("0", 0)):
        made.weigh(Decimal(weight))
        made.play({"C": 10.0}, bars=2)
        assert made.account.position("C") == held


@pytest.mark.parametrize(
    ("held", "quantity", "target", "worked"),
    [
        (0, 10, 10, 1),
        (0, 100, 10, 1),
        (1, 9, 10, 0),
        (-2, 3, 1, 2),
        (-2, 12, 10, 3),
        (-2, 1, -1, 1),
        (0, 10, -10, 0),
    ],
)
def test_brokerage_itself_cuts_what_increases_to_a_tenth_of_the_target(
    held: int, quantity: int, target: int, worked: int
) -> None:
    unit = instrument("U", base="U", quote="USD", price_places=2)
    made = SimulatedAccount(margin(1, "0", participation="0"), {"USD": Decimal(10**6)}, instruments=[unit])
    made.on_bar("U", Bar(0, 1, 100_00, 100_00, 100_00, 100_00, 10**9))
    if held:
        made.market("U", Side.BUY if held > 0 else Side.SELL, Decimal(abs(held)), 1, "before")
        made.on_bar("U", Bar(1, 2, 100_00, 100_00, 100_00, 100_00, 10**9))
    order = Order(made.owner, "o", "U", Side.BUY, Decimal(quantity), position_target=Decimal(target))
    events = made.submit(order, 2, weight=RATE_ONE // 10)
    record = made.record("o")
    if worked:
        assert (record.denial, record.quantity) == (None, worked)
    else:
        assert events[-1].denial is Denial.SCALED_TO_ZERO


def test_orders_that_work_already_count_toward_the_target() -> None:
    unit = instrument("U", base="U", quote="USD", price_places=2)
    made = SimulatedAccount(margin(1, "0", participation="0"), {"USD": Decimal(10**6)}, instruments=[unit])
    made.on_bar("U", Bar(0, 1, 100_00, 100_00, 100_00, 100_00, 10**9))
    for name, worked in (("a", 5), ("b", 0)):
        order = Order(made.owner, name, "U", Side.BUY, Decimal(10), position_target=Decimal(10))
        made.submit(order, 1, weight=RATE_ONE // 2)
        assert made.record(name).quantity == worked


def test_weights_are_those_of_the_side() -> None:
    weights = Weights(Decimal("0.5"), Decimal("0.25"))
    assert (weights.of(1.0), weights.of(-1.0)) == (Decimal("0.5"), Decimal("0.25"))
