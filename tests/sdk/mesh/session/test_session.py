"""The paper session: equal to a local replay, deaf to breaks, obedient to activation, safe to restart."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.profiles.named import profile_named
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotFound, NotReady
from qmtl.core.instants import from_ns
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk import FillEvent, Runner, Signal, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.pacing import Follower
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.run import trade
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.mesh.submission.submit import Submitter
from qmtl.sdk.strategy.assembly import assemble
from qmtl.world.v1 import binding_pb2 as bindingpb
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.samples import CASH, PRESET

BARS = walk(700, seed=21)
START = 500


class Cross(Strategy):
    name = "cross"

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.trend(ta.ema(price, 5), ta.ema(price, 20))
        self.trade(signals.position_target(direction, long=0.5), price)

    def on_start(self) -> None:
        self.log.append("start")

    def on_signal(self, signal: Signal) -> None:
        self.log.append("signal")

    def on_fill(self, fill: FillEvent) -> None:
        self.log.append("fill")

    def on_error(self, error: Exception) -> None:
        self.log.append(type(error).__name__)

    def on_finish(self) -> None:
        self.log.append("finish")


def submitter(mesh: FakeMesh) -> Submitter:
    return Submitter(RetryingClient.open(mesh.client, 5.0, SystemClock()), "w")


async def run(mesh: FakeMesh, strategy: Strategy | None = None, **terms: object) -> SessionResult:
    return await trade(submitter(mesh), assemble(strategy or Cross()), None, SessionTerms(**terms))  # type: ignore[arg-type] # the tests' own terms


async def active_mesh() -> FakeMesh:
    mesh = FakeMesh(BARS, START)
    bound = await submitter(mesh).bind(assemble(Cross()))
    mesh.activate(bound.strategy.strategy_id)
    return mesh


def orders_of(result: SessionResult) -> list[tuple[str, str, int]]:
    return sorted((s.order.client_order_id, s.order.quantity, s.state) for s in result.orders)


async def test_every_bar_is_played_once_and_the_books_agree() -> None:
    strategy = Cross()
    result = await run(await active_mesh(), strategy)
    assert result.bars[0].open_ns.tolist() == BARS.open_ns[START:].tolist()
    assert result.bars[0].values.tobytes() == BARS.values[START:].tobytes()
    assert len(result.replay.fills) > 3
    assert result.books_agree
    assert result.retries >= 0
    assert strategy.log[0] == "start"
    assert strategy.log[-1] == "finish"
    assert {"signal", "fill"} <= set(strategy.log)


async def test_a_listener_hears_of_every_bar_fill_and_refusal_once() -> None:
    mesh, heard = await active_mesh(), list[SessionEvent]()
    mesh.denials = [orderpb.DENIAL_GATE_FROZEN]
    result = await trade(submitter(mesh), assemble(Cross()), None, SessionTerms(), heard.append)
    bars = [event for event in heard if isinstance(event, BarDone)]
    assert [bar.time_ns for bar in bars] == BARS.close_ns[START:].tolist()
    assert (bars[0].bars, bars[-1].bars) == (1, len(BARS) - START)
    assert {(bar.start_ns, bar.end_ns) for bar in bars} == {(mesh.start_ns, BARS.close_ns[-1])}
    assert [event for event in heard if isinstance(event, FillEvent)] == list(result.replay.fills)
    assert [event for event in heard if isinstance(event, DeniedOrder)] == list(result.replay.denials)


async def test_the_session_is_reported_as_a_paper_evaluation() -> None:
    mesh = await active_mesh()
    result = await run(mesh)
    reported = mesh.evaluations[-1]
    assert result.evaluation is not None
    assert reported.stage == bindingpb.STAGE_PAPER
    sent = {metric.name: metric.value for metric in reported.metrics}
    assert sent == {**result.metrics, "cross_context_cache_hits": 0}
    assert reported.data_start.ToNanoseconds() == mesh.start_ns
    assert reported.data_end.ToNanoseconds() == BARS.close_ns[-1]
    assert reported.coverage_ratio == 1.0
    assert result.evaluation.run_id == reported.run_id
    assert "paper evaluation  PASS" in str(result)


async def test_orders_meet_the_bar_after_the_one_that_decided_them() -> None:
    result = await run(await active_mesh())
    decided = {s.order.client_order_id: s.order.decided_at.seconds for s in result.orders}
    filled = [fill.time_ns // 10**9 for fill in result.replay.fills]
    assert sorted(filled) == sorted(decided.values())


async def test_every_bar_is_confirmed_before_the_next_and_the_last_one_leaves() -> None:
    mesh = await active_mesh()
    mesh.breaks["ConfirmBars"] = 3
    await run(mesh, until=from_ns(int(BARS.close_ns[560])))
    assert mesh.left == [("s-1", BARS.close_ns[560])]


async def test_leaving_twice_because_the_answer_was_lost_is_leaving_once() -> None:
    mesh = await active_mesh()
    follower = Follower(submitter(mesh).retrying, "session-1", "s-1")
    mesh.confirmed_ns["s-1"] = mesh.start_ns
    mesh.breaks["ConfirmBars"] = 1
    await follower.confirm(mesh.start_ns, leave=True)
    assert mesh.left == [("s-1", mesh.start_ns)]
    with pytest.raises(NotFound):
        await follower.confirm(mesh.start_ns)


async def test_a_session_waits_for_every_strategy_that_may_trade_in_it() -> None:
    mesh = await active_mesh()
    mesh.activation.entries.add(strategy_id="a", active=True, effective_mode=commonpb.EFFECTIVE_MODE_PAPER)
    mesh.activation.entries.add(strategy_id="b", active=False, effective_mode=commonpb.EFFECTIVE_MODE_PAPER)
    mesh.activation.entries.add(strategy_id="c", active=True, effective_mode=commonpb.EFFECTIVE_MODE_SHADOW)
    await run(mesh, until=from_ns(int(BARS.close_ns[510])))
    assert mesh.followers == ["a", "s-1"]


async def test_an_order_waits_until_the_venue_has_seen_its_bar() -> None:
    calm = await run(await active_mesh())
    mesh = await active_mesh()
    mesh.venue_late = 3
    slow = await run(mesh)
    assert orders_of(slow) == orders_of(calm)
    assert mesh.venue_late == 0


async def test_a_paper_session_is_the_local_backtest_continued() -> None:
    paper = await run(await active_mesh())
    terms = AccountTerms(start=from_ns(int(BARS.close_ns[START - 1])))
    local = Runner.backtest(Cross(), BARS, terms=terms).replay
    assert [replace(f, trade_id="") for f in paper.replay.fills] == [replace(f, trade_id="") for f in local.fills]
    assert paper.replay.equity == local.equity
    assert paper.replay.time_ns.tolist() == local.time_ns.tolist()
    assert paper.metrics == local.metrics


async def test_breaks_change_nothing_and_double_nothing() -> None:
    calm = await run(await active_mesh())
    mesh = await active_mesh()
    mesh.drop_after_bars = [7, 0, 31, 90]
    mesh.breaks.update({"SubmitOrder": 4, "StreamPortfolio": 3, "OpenPaperAccount": 1, "Fetch": 2})
    rough = await run(mesh)
    assert orders_of(rough) == orders_of(calm)
    assert rough.replay.equity == calm.replay.equity
    assert mesh.repeated_orders == 4
    assert rough.retries > calm.retries


async def test_another_process_takes_the_session_up_without_doubling() -> None:
    whole = await run(await active_mesh())
    for stop in (510, 540, 600, 699):
        mesh = await active_mesh()
        first = await run(mesh, until=from_ns(int(BARS.close_ns[stop])))
        second = await run(mesh)
        assert set(orders_of(first)) <= set(orders_of(second))
        assert orders_of(second) == orders_of(whole)
        assert second.replay.equity == whole.replay.equity
        assert mesh.repeated_orders == 0


class Turning(Strategy):
    """Long or short, never flat: each change of direction turns the position round."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.trend(ta.ema(price, 5), ta.ema(price, 20))
        self.trade(signals.position_target(direction, long=0.5, short=-0.5), price)


async def test_a_session_has_the_profile_that_the_world_asks_of_backtests_and_its_fees() -> None:
    mesh = FakeMesh(BARS, START)
    mesh.account_model = accountpb.AccountModel(profile="coinbase_spot", starting_cash="100000")
    mesh.venue = SimulatedAccount(profile_named("coinbase_spot"), {"USD": CASH})
    bound = await submitter(mesh).bind(assemble(Cross()))
    mesh.activate(bound.strategy.strategy_id)
    result = await run(mesh, Cross())
    assert mesh.profile == "coinbase_spot"
    assert result.books_agree
    assert len(result.replay.fills) > 2


async def test_who_drains_closes_where_it_would_turn_round_and_opens_nothing() -> None:
    mesh = FakeMesh(BARS, START)
    mesh.venue = SimulatedAccount(margin(2), {"USD": CASH})
    bound = await submitter(mesh).bind(assemble(Turning()))
    mesh.activate(bound.strategy.strategy_id)
    short = mesh.activation.entries.add()
    short.CopyFrom(mesh.activation.entries[0])
    short.side = commonpb.SIDE_SHORT
    first = await run(mesh, Turning(), until=from_ns(int(BARS.close_ns[600])))
    held = net(first.orders)
    assert held != 0
    for entry in mesh.activation.entries:
        entry.drain = True
    mesh.activation.world_revision += 1
    second = await run(mesh, Turning())
    before = {status.order.client_order_id for status in first.orders}
    later = [status for status in second.orders if status.order.client_order_id not in before]
    assert [Decimal(status.order.quantity) for status in later] == [abs(held)]  # out, once
    assert net(second.orders) == 0


def net(orders: Iterable[orderpb.OrderStatus]) -> Decimal:
    signs = {orderpb.ORDER_SIDE_BUY: 1, orderpb.ORDER_SIDE_SELL: -1}
    return sum((Decimal(status.cumulative_quantity) * signs[status.order.side] for status in orders), Decimal())


@pytest.mark.parametrize("replay", [True, False])
async def test_a_late_joiner_sends_no_order_for_bars_that_were_played_before_it_came(replay: bool) -> None:
    mesh = await active_mesh()
    mesh.preset = datasetspb.Preset()
    mesh.preset.CopyFrom(PRESET)
    mesh.preset.replay = replay  # a live feed goes on without those who follow it
    mesh.data_session_open = True
    mesh.watermark_ns = int(BARS.close_ns[620])
    result = await run(mesh)
    decided = [s.order.decided_at.seconds * 10**9 for s in result.orders]
    assert decided
    assert min(decided) >= BARS.close_ns[620]  # the bar the session stands at waits for whoever joins
    assert len(result.bars[0]) == len(BARS) - START


async def test_a_session_taken_up_again_catches_up_with_a_target_nobody_acted_on() -> None:
    for stop in range(505, 600):  # a bar at which the strategy wants to be long
        if wants_long(stop):
            break
    mesh = await active_mesh()
    strategy_id = next(iter(mesh.live.values())).strategy_id
    mesh.activate(strategy_id, freeze=True)
    await run(mesh, until=from_ns(int(BARS.close_ns[stop])))
    assert not mesh.orders
    mesh.orders["old"] = orderpb.OrderStatus(order=orderpb.Order(client_order_id="old", symbol="BTC-USD"))
    mesh.activate(strategy_id)
    await run(mesh)
    first = min(s.order.decided_at.seconds for key, s in mesh.orders.items() if key != "old")
    assert first == int(BARS.close_ns[stop]) // 10**9  # the bar the session stands at


def wants_long(at: int) -> bool:
    """Whether the target is long on a bar and on the next."""
    dag = assemble(Cross()).dag
    target = next(vertex for vertex in dag.nodes if vertex.spec.node_type == "decision.position_target")
    series = batch_outputs(dag, BARS)[target]
    wanted = dict(zip(series.time_ns.tolist(), series.rows[:, 0].tolist(), strict=True))
    return all(wanted[int(BARS.close_ns[at + k])] > 0.0 for k in (0, 1))


async def test_frozen_means_no_order_and_thawed_means_catching_up() -> None:
    mesh = await active_mesh()
    mesh.denials = [orderpb.DENIAL_GATE_FROZEN] * 3
    result = await run(mesh)
    assert [denial.rule for denial in result.replay.denials] == ["GATE_FROZEN"] * 3
    denied = [s for s in result.orders if s.state == orderpb.ORDER_STATE_DENIED]
    assert len(denied) == 3
    times = [s.order.decided_at.seconds for s in sorted(result.orders, key=lambda s: s.order.decided_at.seconds)]
    assert [after - before for before, after in pairwise(times[:4])] == [900] * 3


async def test_a_refusal_that_is_final_waits_for_the_next_target() -> None:
    mesh = await active_mesh()
    mesh.denials = [orderpb.DENIAL_LOT]
    result = await run(mesh)
    calm = await run(await active_mesh())
    assert [denial.rule for denial in result.replay.denials] == ["LOT"]
    assert len(result.orders) < len(calm.orders)


async def test_without_activation_nothing_starts() -> None:
    mesh, strategy = FakeMesh(BARS, START), Cross()
    with pytest.raises(NotReady) as refused:
        await run(mesh, strategy, activation_wait_s=0.2)
    assert refused.value.reason == "E_NOT_ACTIVATED"
    assert strategy.log == ["NotReady"]
    assert not mesh.orders


async def test_activation_that_comes_later_is_waited_for() -> None:
    mesh = FakeMesh(BARS, START)
    bound = await submitter(mesh).bind(assemble(Cross()))
    waiting = asyncio.create_task(run(mesh))
    await mesh.watched.wait()
    mesh.activate(bound.strategy.strategy_id)
    assert (await waiting).replay.fills


async def test_a_frozen_entry_computes_and_sends_nothing() -> None:
    mesh = await active_mesh()
    mesh.activate(next(iter(mesh.live.values())).strategy_id, freeze=True)
    strategy = Cross()
    result = await run(mesh, strategy)
    assert not mesh.orders
    assert "signal" in strategy.log
    assert len(result.bars[0]) == len(BARS) - START


async def test_an_activation_window_is_in_real_time_not_in_the_replays() -> None:
    mesh = await active_mesh()
    entry = mesh.activation.entries[0]
    entry.valid_from.GetCurrentTime()
    assert (await run(mesh)).replay.fills
    mesh = await active_mesh()
    mesh.activation.entries[0].valid_until.GetCurrentTime()
    assert not (await run(mesh)).orders


async def test_too_little_history_is_a_hard_gate() -> None:
    mesh = FakeMesh(BARS, 10)
    bound = await submitter(mesh).bind(assemble(Cross()))
    mesh.activate(bound.strategy.strategy_id)
    with pytest.raises(NotReady) as refused:
        await run(mesh)
    assert refused.value.reason == "E_WARMUP"
    assert not mesh.orders


async def test_result_prints_and_serialises() -> None:
    result = await run(await active_mesh())
    document = json.loads(result.to_json())
    assert document["books_agree"] is True
    assert len(document["orders"]) == len(result.orders)
    assert "traded on paper" in str(result)
    assert "the book is what the fills come to" in str(result)


async def test_the_book_of_a_later_bar_is_compared_by_what_is_held() -> None:
    result = await run(await active_mesh(), until=from_ns(int(BARS.close_ns[600])))
    assert result.held["BTC-USD"] > 0
    other = portfoliopb.Portfolio()
    other.CopyFrom(result.portfolio)
    other.equity = "1"
    assert not replace(result, portfolio=other).books_agree
    other.time.FromNanoseconds(other.time.ToNanoseconds() + 900 * 10**9)  # the feed went on
    assert replace(result, portfolio=other).books_agree
    other.positions[0].quantity = "0"
    assert not replace(result, portfolio=other).books_agree


async def test_orders_are_listed_whole_at_the_ends_of_a_session_only() -> None:
    mesh = await active_mesh()
    result = await run(mesh)
    pages = -(-len(result.orders) // 2)  # the stand-in has two orders a page
    assert len(result.orders) > 8
    assert mesh.calls["ListOrders all"] == 1 + pages
    assert mesh.calls["ListOrders open"] <= 2 * len(result.orders)
    assert mesh.calls["GetPortfolio"] == mesh.calls["CancelOrder"]
