"""Brackets of a trade rule: what is sent with an order, what it does in a backtest, and when exits are let go."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D
from typing import Any

import pytest

from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.orders.order import Contingency
from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bracket, Runner, Sizing, Strategy, StreamInput, indicators, signals
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.compiled.paying import Compiling
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.port import (
    UNRESTRICTED,
    AskHeldPosition,
    AskOpenOrders,
    AskPermission,
    Cancel,
    HeldPosition,
    ListedOrder,
    MarketOrder,
    OrderReply,
    Request,
    Submit,
    SubmitExit,
    SubmitList,
    conclude,
)
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.wire.orders import list_to_proto, order_to_proto
from qmtl.sdk.strategy.assembly import assemble
from tests.brokerage.samples import OWNER
from tests.sdk.market import prices, walk

BAR_NS = 900 * 10**9
BOTH = Bracket(stop="0.02", target="0.05")
FREE = AccountTerms(cash=D(1000), profile=spot("0", participation="0"))


class Held(Strategy):
    """Holds units by a target that the test says, with a bracket."""

    def __init__(self, bracket: Bracket = BOTH, above: float = 100.0, short: float = 0.0) -> None:
        super().__init__()
        self.bracket, self.above, self.short = bracket, above, short

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.threshold(price, above=self.above, below=self.above)
        target = signals.position_target(direction, long=1.0, short=self.short)
        self.trade(target, price, sizing=Sizing.UNITS, lot="1", bracket=self.bracket)


class Venue:
    """Answers by table and keeps what it was asked."""

    def __init__(self, held: int = 0, open_orders: tuple[str, ...] = (), reply: OrderReply | None = None) -> None:
        self.answers: dict[type, object] = {
            AskPermission: UNRESTRICTED,
            AskOpenOrders: open_orders,
            Cancel: None,
            AskHeldPosition: HeldPosition(D(held), D(1000), D(1), D("0.01")),
            Submit: reply or OrderReply(),
            SubmitExit: reply or OrderReply(),
            SubmitList: reply or OrderReply(),
        }
        self.acts: list[Request[Any]] = []

    def answer(self, request: Request[Any]) -> object:
        if isinstance(request, Submit | SubmitExit | SubmitList | Cancel):
            self.acts.append(request)
        return self.answers[type(request)]


def acts(target: float, venue: Venue, bracket: Bracket = BOTH) -> list[Request[Any]]:
    logic = DecisionLogic(assemble(Held(bracket)))
    command = Command(next(iter(logic.command_nodes)), BAR_NS, target, 100.01)
    logic.remember(replace(command, target=9.0))
    conclude(logic.decide([command]), venue.answer)
    return venue.acts


def test_an_entry_goes_with_a_stop_and_a_target_away_from_the_market() -> None:
    (sent,) = acts(3.0, Venue())
    assert isinstance(sent, SubmitList)
    entry, stop, target = sent.orders
    assert (sent.list_id, entry.quantity, entry.contingency) == ("BTC-USD-900", D(3), Contingency.OTO)
    assert (stop.quantity, stop.stop_price, stop.limit_price) == (D(-3), D("98.00"), None)  # 98.0098, down
    assert (target.quantity, target.stop_price, target.limit_price) == (D(-3), None, D("105.02"))  # 105.0105, up
    assert [one.reduce_only for one in sent.orders] == [False, True, True]
    assert (stop.contingency, stop.linked, stop.parent) == (Contingency.OUO, ("BTC-USD-900-target",), "BTC-USD-900")
    assert (target.contingency, target.linked) == (Contingency.OUO, ("BTC-USD-900-stop",))


def test_exits_of_a_short_are_mirrored() -> None:
    (sent,) = acts(-2.0, Venue())
    assert isinstance(sent, SubmitList)
    _, stop, target = sent.orders
    assert (stop.quantity, stop.stop_price) == (D(2), D("102.02"))  # 102.0102, up
    assert (target.quantity, target.limit_price) == (D(2), D("95.00"))  # 95.0095, down


def test_one_exit_alone_has_no_rival() -> None:
    (sent,) = acts(1.0, Venue(), Bracket(target="0.5"))
    assert isinstance(sent, SubmitList)
    assert [one.contingency for one in sent.orders] == [Contingency.OTO, None]


OPEN = ("x-stop", "x-target")


def test_what_adds_covers_the_whole_position_and_lets_the_older_exits_go_once_it_is_taken() -> None:
    sent, *cancels = acts(5.0, Venue(held=3, open_orders=OPEN))
    assert isinstance(sent, SubmitList)
    assert [one.quantity for one in sent.orders] == [D(2), D(-5), D(-5)]
    assert cancels == [Cancel(name, BAR_NS) for name in OPEN]


def test_what_is_denied_leaves_the_exits_of_what_is_held() -> None:
    for target in (5.0, 1.0, 0.0, -1.0):
        venue = Venue(held=3, open_orders=OPEN, reply=OrderReply("FENCED", "shut"))
        assert not [one for one in acts(target, venue) if isinstance(one, Cancel)]


def test_what_takes_off_goes_beside_the_exits_as_reduce_only() -> None:
    part, *cancels = acts(1.0, Venue(held=3, open_orders=OPEN))
    assert isinstance(part, SubmitList)
    assert [(one.quantity, one.reduce_only) for one in part.orders] == [(D(-2), True), (D(-1), True), (D(-1), True)]
    assert len(cancels) == 2


CLOSE = "BTC-USD-900-close"


@pytest.mark.parametrize(("target", "name"), [(0.0, "BTC-USD-900"), (-1.0, CLOSE)])
def test_exits_stay_until_what_closes_the_position_has_filled(target: float, name: str) -> None:
    venue = Venue(held=3, open_orders=OPEN)
    logic = DecisionLogic(assemble(Held()))
    command = Command(next(iter(logic.command_nodes)), BAR_NS, target, 100.01)
    logic.remember(replace(command, target=9.0))
    conclude(logic.decide([command]), venue.answer)
    assert venue.acts == [Submit(MarketOrder(name, "BTC-USD", D(-3), BAR_NS, D(str(target)), reduce_only=True))]
    assert not logic.settled
    venue.answers[AskOpenOrders] = (*OPEN, name)
    conclude(logic.decide([command]), venue.answer)
    assert len(venue.acts) == 1  # it rests: nothing is done twice
    venue.answers[AskOpenOrders] = OPEN  # it was denied on its way: it goes once more, beside the exits
    conclude(logic.decide([replace(command, time_ns=2 * BAR_NS)]), venue.answer)
    assert [type(act) for act in venue.acts] == [Submit, Submit]
    venue.answers[AskHeldPosition] = HeldPosition(D(0), D(1000), D(1), D("0.01"))
    conclude(logic.decide([replace(command, time_ns=3 * BAR_NS)]), venue.answer)
    cancels, opening = venue.acts[2:4], venue.acts[4:]
    assert cancels == [Cancel(one, 3 * BAR_NS) for one in OPEN]
    assert [[one.quantity for one in sent.orders] for sent in opening if isinstance(sent, SubmitList)] == (
        [] if not target else [[D(-1), D(1), D(1)]]
    )
    assert logic.settled


@pytest.mark.parametrize(
    ("last", "fills"),
    [
        ((105, 106), [(1, 105), (-1, 107)]),  # decided at 101 and sized by it: the target is 106.05
        ((100, 99, 95), [(1, 100), (-1, 95)]),  # the stop is 98.98: over it at the open, filled there
    ],
)
def test_a_backtest_closes_at_the_exit_and_stays_out_until_the_target_changes(
    last: tuple[int, ...], fills: list[tuple[int, int]]
) -> None:
    bars = prices(90, 101, *last, 107, 108, 109)
    result = Runner.backtest(Held(above=94.5), bars, terms=FREE)
    assert [(f.quantity, f.price) for f in result.replay.fills] == [(D(q), D(p)) for q, p in fills]


WAYS: list[dict[str, Any]] = [{"every_bar": True}, {"compiling": Compiling.NEVER}, {"compiling": Compiling.PLAIN}]


@pytest.mark.parametrize("way", WAYS, ids=["every bar", "past quiet bars", "in integers"])
@pytest.mark.parametrize("short", [0.0, -1.0])
def test_a_target_that_returns_while_the_position_is_closed_is_held_again(short: float, way: dict[str, Any]) -> None:
    terms = AccountTerms(cash=D(1000), profile=margin(1, fee="0", participation="0"))
    made = replay(assemble(Held(above=94.5, short=short)), prices(90, 101, 94, 101, 102, 103, 104), terms, **way)
    if short:  # short at 101, closed at 94, which is where it is short again at 101, and so on: each close is turned
        assert [f.quantity for f in made.fills] == [D(-1), D(1), D(-1), D(1), D(1)]
    else:
        assert [(f.quantity, f.price) for f in made.fills] == [(D(1), D(94)), (D(-1), D(101)), (D(1), D(102))]
    assert made.path.startswith("in integers: ") == (way is WAYS[2])


def test_a_long_turned_short_has_the_exits_of_the_short() -> None:
    terms = AccountTerms(cash=D(1000), profile=margin(1, fee="0", participation="0"))
    strategy = Held(Bracket(stop="0.5"), short=-1.0)
    result = Runner.backtest(strategy, prices(101, 101, 99, 99, 99, 160), terms=terms)
    assert [f.quantity for f in result.replay.fills] == [D(1), D(-1), D(-1), D(1)]


class Trend(Strategy):
    """Turns round often, with tight exits."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.trend(indicators.ema(price, 3), indicators.ema(price, 8))
        target = signals.position_target(direction, long=0.9, short=-0.9)
        self.trade(target, price, bracket=Bracket(stop="0.003", target="0.004"))


@pytest.mark.parametrize("seed", range(4))
def test_bars_that_are_passed_by_change_nothing_of_a_bracket(seed: int) -> None:
    bars, terms = walk(400, seed), AccountTerms(profile=margin(2))
    batch = Runner.backtest(Trend(), bars, terms=terms)
    every = replay(assemble(Trend()), bars, terms, every_bar=True)
    assert batch.replay.fills == every.fills
    assert list(batch.replay.equity) == list(every.equity)
    assert len({fill.trade_id for fill in every.fills}) > 20


def test_orders_of_a_list_say_the_same_to_the_mesh() -> None:
    (sent,) = acts(3.0, Venue())
    assert isinstance(sent, SubmitList)
    entry, stop, target = list_to_proto(OWNER, sent.list_id, sent.orders)
    assert (entry.list_id, entry.position_target, list(entry.linked_client_order_ids)) == (
        "BTC-USD-900",
        "3",
        ["BTC-USD-900-stop", "BTC-USD-900-target"],
    )
    assert (stop.stop_price, stop.limit_price, stop.reduce_only, stop.quantity) == ("98", "", True, "3")
    assert (target.limit_price, target.parent_client_order_id) == ("105.02", "BTC-USD-900")
    kinds = {(None, None): 1, (D(1), None): 2, (None, D(1)): 3, (D(1), D(1)): 4}
    for (limit, stop_price), kind in kinds.items():
        one = ListedOrder("o", "BTC-USD", D(1), BAR_NS, limit_price=limit, stop_price=stop_price)
        assert list_to_proto(OWNER, "l", [one])[0].type == kind


@pytest.mark.parametrize(
    "given", [{}, {"stop": "1"}, {"stop": "0"}, {"stop": "-0.1"}, {"target": "x"}, {"target": "NaN"}]
)
def test_a_bracket_of_no_distance_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Bracket(**given)
    assert caught.value.reason == "E_BRACKET"


def test_a_target_of_a_short_below_nothing_is_none() -> None:
    assert Bracket(stop="0.5", target="1").prices(D(100), long=False, tick=D(1)) == (D(150), None)
    assert Bracket(target="1.5").prices(D(100), long=False, tick=D(1)) == (None, None)
    assert Bracket(target="1.5").prices(D(100), long=True, tick=D(1)) == (None, D(250))


def test_what_closes_slowly_is_no_denial() -> None:
    bars = prices(*[101.0] * 7, *[99.5] * 9, volume=20.0)  # 2 a bar are filled, a tenth of it, of 9
    run = Runner.backtest(Large(), bars, terms=AccountTerms(cash=D(1000), profile=spot("0")))
    assert run.replay.denials == ()
    assert sum(fill.quantity for fill in run.replay.fills) == 0
    assert [fill.quantity for fill in run.replay.fills] == [2, 2, 2, 2, 1, -2, -2, -2, -2, -1]


class Large(Held):
    """Wants more than a bar's volume lets through, with exits that it never meets."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.threshold(price, above=self.above, below=self.above)
        target = signals.position_target(direction, long=9.0, short=0.0)
        self.trade(target, price, sizing=Sizing.UNITS, lot="1", bracket=Bracket(stop="0.5"))


class Rejecting:
    """A position of 3 with exits, whose venue rejects what the test says."""

    def __init__(self, bracket: Bracket = BOTH) -> None:
        self.logic = DecisionLogic(assemble(Held(bracket)))
        self.node = next(iter(self.logic.command_nodes))
        self.bar = 0
        self.on(Venue(), target=3.0)

    def on(self, venue: Venue, target: float = 3.0) -> list[str]:
        """The next bar; what was denied at it."""
        self.bar += 1
        command = Command(self.node, self.bar * BAR_NS, target, 100.01)
        return [one.message for one in conclude(self.logic.decide([command]), venue.answer)]

    def reject(self, name: str) -> str:
        told = self.logic.reject(name, "no", self.bar * BAR_NS)
        assert told is not None
        assert (told.rule, told.client_order_id) == ("REJECTED", name)
        return told.message


def test_a_rejected_stop_is_told_with_its_numbers_and_sent_again_by_itself() -> None:
    run, venue = Rejecting(), Venue(held=3, open_orders=("BTC-USD-900-target",))
    assert run.reject("BTC-USD-900-stop") == "no (3 BTC-USD are held without their stop at 98.00; it is sent again)"
    assert run.on(venue) == []
    again = ListedOrder("BTC-USD-1800-stop", "BTC-USD", D(-3), 2 * BAR_NS, stop_price=D("98.00"), reduce_only=True)
    assert venue.acts == [SubmitExit(again)]  # the target stays, and nothing else is sent
    run.on(venue)
    assert len(venue.acts) == 1
    message = order_to_proto(OWNER, again)
    assert (message.stop_price, message.list_id, message.reduce_only) == ("98", "", True)


def test_an_exit_that_is_rejected_three_times_is_given_up_and_said() -> None:
    run, venue = Rejecting(Bracket(trailing="0.03")), Venue(held=3)
    for bar in (1, 2):
        assert "without their trailing stop of 0.03; it is sent again" in run.reject(f"BTC-USD-{bar * 900}-trail")
        run.on(venue)
    assert "3 were rejected, it is given up; place one by hand, or close" in run.reject("BTC-USD-2700-trail")
    run.on(venue)
    assert len(venue.acts) == 2
    run.on(venue, target=4.0)  # another order has exits of its own, which count anew
    assert "it is sent again" in run.reject("BTC-USD-4500-trail")


def test_what_is_closed_or_covered_again_needs_no_exit() -> None:
    for venue in (Venue(held=0), Venue(held=-3), Venue(held=3, open_orders=("other-stop",))):
        run = Rejecting()
        run.reject("BTC-USD-900-stop")
        run.on(venue)
        assert not venue.acts
        later = Venue(held=3)
        run.on(later)
        assert not later.acts


@pytest.mark.parametrize(("final", "tries"), [(False, 2), (True, 1)])
def test_a_replacement_that_is_denied_is_told_and_tried_again_unless_that_is_final(final: bool, tries: int) -> None:
    run, venue = Rejecting(), Venue(held=3, reply=OrderReply("FENCED", "shut", final))
    run.reject("BTC-USD-900-target")
    told = [line for _ in range(2) for line in run.on(venue)]
    assert told == ["shut (3 BTC-USD are held without their target at 105.02)"] * tries


def test_an_exit_of_an_earlier_run_is_told_and_not_made_up() -> None:
    logic = DecisionLogic(assemble(Held()))
    told = logic.reject("BTC-USD-900-stop", "no", BAR_NS)
    assert told is not None
    assert told.message.endswith("it was sent by an earlier run; place one by hand)")
    venue = Venue(held=3)
    conclude(logic.decide([Command(next(iter(logic.command_nodes)), BAR_NS, 0.0, 100.0)]), venue.answer)
    assert not [one for one in venue.acts if isinstance(one, SubmitExit)]
