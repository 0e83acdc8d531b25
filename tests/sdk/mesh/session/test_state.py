"""Nodes that read the position in a paper session: as in a backtest, and the same for a process that joins later."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.clock import SystemClock
from qmtl.core.fills import FillEvent
from qmtl.core.instants import from_ns
from qmtl.sdk import CacheView, OrderState, OrderUpdate, Strategy, StreamInput, node, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.engine.streaming import Emission
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.decide import Command, DecisionLogic
from qmtl.sdk.execution.holdings import Holding
from qmtl.sdk.execution.in_step import CommandsInStep
from qmtl.sdk.execution.legs import Route
from qmtl.sdk.execution.port import WHOLE, Request, SubmitList, Weights
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.data_clock import Step
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.account.equity import SessionBook
from qmtl.sdk.mesh.session.trading import SessionTrading, StateInStep
from qmtl.sdk.mesh.wire.bars import LiveBar
from qmtl.sdk.strategy.assembly import assemble
from tests.brokerage.samples import OWNER
from tests.sdk.execution.test_bracket import Held
from tests.sdk.execution.test_bracket import Venue as BracketVenue
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.samples import CASH, PRESET
from tests.sdk.mesh.session.test_equity import COIN
from tests.sdk.mesh.session.test_session import BARS, START, orders_of, run, submitter


@node(period=2)
def worst(view: CacheView) -> float:
    """The lower open profit of two closes."""
    return float(view[0].window(2, "unrealised").min())


class Careful(Strategy):
    """Leaves when it has lost, or after seven bars."""

    name = "careful"

    def __init__(self) -> None:
        self.heard = list[OrderUpdate]()
        self.fills = list[str]()

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        held = self.position(price)
        fine = (worst(held) > -150.0) * (held.bars_held < 9.0) * (price > ta.ema(price, 6))
        target = signals.position_target(signals.when(long=fine), long=0.5, hold=False)
        self.trade(target, price, max_bars=7)

    def on_order(self, update: OrderUpdate) -> None:
        self.heard.append(update)

    def on_fill(self, fill: FillEvent) -> None:
        self.fills.append(fill.trade_id)


class Maker(Strategy):
    """Quotes around a short average, never short."""

    name = "maker"

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        intent = signals.quote_intent(ta.sma(price, 3), 0.001, 0.25)
        self.quote(intent, price, inventory_max="1", inventory_min="0")


async def active(strategy: type[Strategy] = Careful) -> FakeMesh:
    mesh = FakeMesh(BARS, START)
    bound = await submitter(mesh).bind(assemble(strategy()))
    mesh.activate(bound.strategy.strategy_id)
    return mesh


async def test_a_session_sees_the_position_that_a_backtest_sees() -> None:
    result = await run(await active(), Careful())
    local = replay(assemble(Careful()), BARS, AccountTerms(cash=CASH, start=from_ns(int(BARS.close_ns[START - 1]))))
    assert len(local.fills) > 20
    told = [[(f.time_ns, f.quantity, f.price, f.fee) for f in found] for found in (result.replay.fills, local.fills)]
    assert told[0] == told[1]
    assert result.replay.equity == local.equity


async def test_a_process_that_takes_a_session_up_knows_what_was_held_and_for_how_long() -> None:
    whole = await run(await active(), Careful())
    for stop in (560, 564):
        mesh = await active()
        await run(mesh, Careful(), until=from_ns(int(BARS.close_ns[stop])))
        again = await run(mesh, Careful())
        assert orders_of(again) == orders_of(whole)
        assert again.replay.equity == whole.replay.equity


@pytest.mark.parametrize("breaks", [0, 3])
async def test_a_session_tells_of_the_steps_of_orders(breaks: int) -> None:
    strategy, mesh = Careful(), await active()
    mesh.breaks["StreamOrderEvents"] = breaks  # before its first event: the stream begins anew, later
    result = await run(mesh, strategy)
    assert strategy.fills == [fill.trade_id for fill in result.replay.fills]
    assert len({(one.client_order_id, one.state) for one in strategy.heard}) == len(strategy.heard)
    filled = [one for one in strategy.heard if one.state in (OrderState.FILLED, OrderState.PARTIALLY_FILLED)]
    dealt = {one.order.client_order_id for one in result.orders if Decimal(one.cumulative_quantity or "0")}
    assert {one.client_order_id for one in filled} == dealt
    assert len(dealt) > 40
    assert {one.symbol for one in strategy.heard} == {"BTC-USD"}


async def test_quotes_of_a_session_are_those_of_its_backtest_also_after_a_restart() -> None:
    local = replay(assemble(Maker()), BARS, AccountTerms(cash=CASH, start=from_ns(int(BARS.close_ns[START - 1]))))
    assert len(local.fills) > 20
    mesh = await active(Maker)
    await run(mesh, Maker(), until=from_ns(int(BARS.close_ns[580])))
    result = await run(mesh, Maker())
    told = [[(f.time_ns, f.quantity, f.price, f.fee) for f in found] for found in (result.replay.fills, local.fills)]
    assert told[0] == told[1]
    assert result.replay.equity == local.equity


class Venue:
    """An account that holds one unit at every close."""

    async def holding(self, symbol: str, time_ns: int) -> Holding:
        return Holding(Decimal(1), Decimal(100), Decimal(0))


async def test_closes_that_were_played_while_a_process_was_cut_off_show_the_fills_until_then() -> None:
    in_step = CommandsInStep(assemble(Careful()))
    state, fills = StateInStep(in_step, {"BTC-USD": PRESET}), list[FillEvent]()
    account = accountpb.Account(
        base_currency="USD", starting_cash="1000", fee_rate="0", type=accountpb.ACCOUNT_TYPE_MARGIN, leverage=1
    )

    async def books() -> SessionBook:
        return SessionBook(account, [COIN], fills)

    def step(at: int) -> Step:
        opened, closed = int(BARS.open_ns[at]), int(BARS.close_ns[at])
        return Step(closed, (), {PRESET.name: LiveBar(opened, closed, tuple(BARS.values[at].tolist()))})

    state.begin(books, {"BTC-USD": COIN})
    await state.watch(step(0))
    assert in_step.holdings.row("BTC-USD") == [0.0, 0.0, 0.0, 0.0]
    fills.append(FillEvent("BTC-USD", Decimal(1), Decimal(100), Decimal(0), "USD", 0, "t", int(BARS.close_ns[1])))
    await state.observe(step(1), Venue())  # type: ignore[arg-type]  # all that is asked of it
    for at in (2, 3):
        await state.watch(step(at))
        assert in_step.holdings.row("BTC-USD")[::3] == [1.0, float(at)]


class FlatVenue(BracketVenue):
    """A venue of a session that holds nothing."""

    def weights(self) -> Weights:
        return WHOLE

    def routes(self) -> dict[str, Route]:
        return {}

    async def answer(self, request: Request[Any]) -> object:
        return super().answer(request)


@pytest.mark.parametrize(("sent", "held"), [("", [3]), ("-close", [3]), ("-other", [])])
async def test_a_target_that_returns_after_another_process_closed_the_position_is_held_again(
    sent: str, held: list[int]
) -> None:
    mesh, venue, assembled = await active(), FlatVenue(), assemble(Held())
    logic = DecisionLogic(assembled)
    [vertex] = [one for one in assembled.dag.nodes if one.node_id in logic.command_nodes]
    first, turned, back = (
        Command(vertex.node_id, int(BARS.close_ns[at]), target, 100.0) for at, target in enumerate((3.0, -3.0, 3.0))
    )
    name = logic.order_name(turned) + sent
    mesh.orders[name] = orderpb.OrderStatus(order=orderpb.Order(client_order_id=name, symbol="BTC-USD"))
    trading = SessionTrading(logic, venue)  # type: ignore[arg-type]  # all that is asked of it
    await trading.recall(RetryingClient.open(mesh.client, 5.0, SystemClock()), OWNER)
    logic.remember(first)
    await trading.watch(Step(turned.time_ns, [Emission(vertex, turned.time_ns, (turned.target, 100.0))], {}))
    await trading.act(Step(back.time_ns, [Emission(vertex, back.time_ns, (back.target, 100.0))], {}))
    assert [act.orders[0].quantity for act in venue.acts if isinstance(act, SubmitList)] == held


async def test_what_the_venue_rejected_is_told_once_and_sent_again_at_the_next_bar() -> None:
    mesh, assembled = await active(), assemble(Held())
    logic, venue = DecisionLogic(assembled), FlatVenue()
    trading = SessionTrading(logic, venue)  # type: ignore[arg-type]  # all that is asked of it
    [vertex] = [one for one in assembled.dag.nodes if one.node_id in logic.command_nodes]

    async def bar(at: int) -> list[str]:
        close_ns = int(BARS.close_ns[at])
        denied = await trading.act(Step(close_ns, [Emission(vertex, close_ns, (3.0, 100.0))], {}))
        return [f"{one.rule}: {one.message}" for one in denied]

    def sent() -> list[str]:
        return [act.list_id for act in venue.acts if isinstance(act, SubmitList)]

    assert await bar(0) == []
    assert await bar(1) == []
    assert len(sent()) == 1
    rejected = orderpb.OrderEvent(
        kind=orderpb.ORDER_EVENT_KIND_REJECTED, client_order_id=sent()[0], message="insufficient balance"
    )
    trading.hear(rejected)
    trading.hear(rejected)
    assert await bar(2) == ["REJECTED: insufficient balance"]
    assert await bar(3) == []
    assert len(set(sent())) == 2
    order = orderpb.Order(client_order_id=sent()[0], symbol="BTC-USD")
    mesh.orders[sent()[0]] = orderpb.OrderStatus(order=order, state=orderpb.ORDER_STATE_REJECTED)
    logic, venue = DecisionLogic(assembled), FlatVenue()
    trading = SessionTrading(logic, venue)  # type: ignore[arg-type]  # all that is asked of it
    await trading.recall(RetryingClient.open(mesh.client, 5.0, SystemClock()), OWNER)
    await trading.watch(Step(int(BARS.close_ns[0]), [Emission(vertex, int(BARS.close_ns[0]), (3.0, 100.0))], {}))
    assert await bar(1) == []
    assert len(sent()) == 1
