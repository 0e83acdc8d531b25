"""Weights bound positions, not orders: |position| <= weight x |target| + 1 lot on any path of targets and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.traffic import version_of
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.sdk import Sizing
from qmtl.sdk.execution.legs import Route, Routing
from qmtl.sdk.execution.port import UNRESTRICTED, LimitOrder, MarketOrder, OrderReply, Permission, Weights
from qmtl.sdk.mesh.session.activation import FollowedShares
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
        first = Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0}, version=1)
        second = Portfolio(margin(1, "0", participation="0"), [COIN], {"C": 100.0}, beside=first, version=2)
        self.versions = {1: first, 2: second}
        self.weights: dict[int, float] = {}
        for version, made in self.versions.items():
            made.gate = partial(self._refused, version)
            made.on_worked = self._worked
            made.logic.begin()

    @property
    def held(self) -> Decimal:
        return self.versions[1].account.position("C")

    @property
    def lot(self) -> Decimal:
        return self.versions[1].account.lot("C")

    def share(self, first: int, second: int) -> int | None:
        """Give the versions their shares, in hundredths, and tell both; who has the symbol then."""
        self.weights = {1: first / 100, 2: second / 100}
        shares = FollowedShares()
        sentinels = [sentinelpb.Sentinel(version=v, traffic_weight=str(w)) for v, w in self.weights.items()]
        shares.offer(1, controlpb.SentinelWeightUpdated(strategy_id="s", sentinels=sentinels))
        for version, made in self.versions.items():
            made.logic.route({"C": shares.route("s", "C", version)})
        return version_of("s", "C", self.weights)

    def play(self, targets: Mapping[int, int], order: Sequence[int] = (1, 2), rounds: int = 3) -> None:
        """Bars at which the versions that have a target, in hundredths of the equity, decide one after the other."""
        for version in (*order,) * rounds:
            if version in targets:
                self.versions[version].play({"C": targets[version] / 100}, bars=1)
        self.versions[1].bar()

    def most(self, target: int, weight: int = 100) -> Decimal:
        """How much a weighed target may hold."""
        return Decimal(abs(target)) * weight / 10_000 * self.versions[1].equity / 100

    def _refused(self, version: int, sent: MarketOrder | LimitOrder) -> OrderReply | None:
        order = GatedOrder("s", sent.quantity > 0, sent.reduce_only, position_side=None, symbol="C", version=version)
        refused = check_canary_share(order, self.weights)
        return None if refused is None else OrderReply(refused.denial.value, refused.reason)

    def _worked(self, name: str) -> None:
        for made in self.versions.values():
            made.logic.hear(name)


STEPS = st.tuples(
    st.sampled_from([-50, -7, 0, 0, 3, 40]), st.sampled_from([-50, -3, 0, 0, 7, 40]),
    st.sampled_from([(100, 0), (0, 100), (0, 100), (100, 0), (50, 50), (0, 0), (20, 0)]), st.permutations([1, 2]),
)  # fmt: skip


@given(st.lists(STEPS, min_size=2, max_size=12), st.sampled_from([0, 0, 1, 2]), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_what_is_held_is_what_the_version_wants_that_the_symbol_is_routed_to(
    steps: list[tuple[int, int, tuple[int, int], list[int]]], silent: int, weight: int
) -> None:
    """On any path of targets and shares: to another version, back, and to nobody. Where the symbol is routed to a
    version that never speaks, the one that traded last only reduces.
    """
    made = Canary()
    for version in made.versions:
        made.versions[version].weigh(Decimal(weight) / 100)
    for first, second, shares, order in steps:
        before = made.held
        owner = made.share(*shares)
        targets = {version: target for version, target in ((1, first), (2, second)) if version != silent}
        made.play(targets, order)
        if owner is None:
            assert abs(made.held) < made.lot
        elif owner == silent:
            other = made.most(targets[3 - silent], weight)
            assert abs(made.held) <= min(abs(before), other) + made.lot
            assert made.held * before >= 0
        else:
            wanted = made.most(targets[owner], weight) * (1 if targets[owner] > 0 else -1)
            assert abs(made.held - wanted) <= 2 * made.lot
            assert abs(made.held) <= abs(wanted) + made.lot


def test_a_version_that_wants_nothing_from_the_start_closes_what_it_takes_over_and_so_does_who_gets_it_back() -> None:
    made = Canary()
    made.share(100, 0)
    made.play({1: 40, 2: 0})
    assert made.held == 400
    made.share(0, 100)
    made.play({1: 40, 2: 0})
    assert made.held == 0
    made.play({1: 40, 2: -50})
    assert made.held == -500
    made.share(100, 0)
    made.play({1: 40, 2: -50})
    assert made.held == 400


def test_what_is_taken_over_as_it_is_wanted_trades_nothing() -> None:
    made = Canary()
    made.share(100, 0)
    made.play({1: 40, 2: 40})
    orders = len(made.versions[1].account.book.records)
    made.share(0, 100)
    made.play({1: 40, 2: 40})
    assert made.held == 400
    assert len(made.versions[1].account.book.records) == orders


def test_of_a_version_that_has_not_spoken_yet_the_one_before_may_only_reduce() -> None:
    made = Canary()
    made.share(100, 0)
    made.play({1: 40})
    made.share(0, 100)
    for target, held in ((50, 400), (10, 100), (20, 100), (-30, 0)):
        made.play({1: target})
        assert abs(made.held - held) <= made.lot * 2
    made.play({1: -30, 2: 7})
    assert abs(made.held - 70) <= made.lot * 2
    made.play({1: 0, 2: 7})
    assert abs(made.held - 70) <= made.lot * 2
    assert not any(one.rule == "GATE_OTHER_CANARY_SHARE" for one in made.versions[1].denials)


def test_what_a_version_may_send_of_a_symbol_that_is_not_its_own() -> None:
    nothing = Permission(long=False, short=False, reduce_long=False, reduce_short=False)
    reducing = Permission(long=False, short=False, reduce_long=True, reduce_short=True)
    routing = Routing(1)
    assert not routing.hear("C", "flatten-C"), "no version of the strategy has named it"
    assert not routing.hear("C", "C-900-v1-stop")
    assert routing.hear("C", "C-900-close"), "the newest, which has no number"
    assert routing.narrowed("C", UNRESTRICTED) == UNRESTRICTED
    assert routing.change({"C": Route.OTHERS}) == ["C"]
    assert routing.change({"C": Route.OTHERS}) == []
    assert routing.narrowed("C", UNRESTRICTED) == nothing
    assert not routing.hear("C", "C-1800-v1")
    assert routing.narrowed("C", UNRESTRICTED) == reducing
    assert not routing.hear("C", "C-1800-v2")
    assert routing.narrowed("C", UNRESTRICTED) == nothing
    assert routing.change({"C": Route.NOBODYS}) == ["C"]
    assert routing.narrowed("C", UNRESTRICTED) == reducing


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
