"""Submitting: what is sent, what comes back, what survives lost replies."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.profiles.named import profile_named
from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import InvalidRequest, NotFound, NotReady, QmtlError, Unavailable
from qmtl.core.instants import from_ns
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.sdk import Runner, Strategy, StreamInput, indicators, signals
from qmtl.sdk.execution.port import MarketOrder
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.history import History, fetch_arrow
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.submission.assumptions import model_of
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.mesh.submission.submit import Submitter, submission
from qmtl.sdk.strategy.assembly import assemble
from qmtl.wire.graph import dag_from_proto
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh, Replies
from tests.sdk.mesh.samples import CASH
from tests.support.waiting import eventually


@pytest.fixture
def mesh() -> FakeMesh:
    return FakeMesh(walk(1500, seed=8), 1400)


async def submit(mesh: FakeMesh, strategy: Strategy) -> SubmitResult:
    history = History(end=from_ns(mesh.start_ns))
    submitter = Submitter(RetryingClient.open(mesh.client, 5.0, SystemClock()), "w")
    return await submitter.submit(assemble(strategy), None, history, None)


async def test_result_is_the_owners_word_and_the_local_replay(mesh: FakeMesh) -> None:
    result = await submit(mesh, EmaCross())
    local = Runner.backtest(EmaCross(), mesh.bars.between(None, mesh.start_ns))
    assert result.replay.equity == local.replay.equity
    assert result.status == "COMPLETED"
    assert not result.attached
    assert result.evaluation is not None
    assert mesh.fetches[0].context == result.context
    sent = {metric.name: metric.value for metric in mesh.evaluations[0].metrics}
    assert sent == {**local.metrics, "cross_context_cache_hits": 0}
    assert mesh.evaluations[0].execution_model == decisionpb.ExecutionModel(
        fill=decisionpb.FILL_MODEL_NEXT_BAR,
        maker_fee_rate="0.001",
        taker_fee_rate="0.001",
        slippage_rate="0",
        participation="0.1",
    )
    assert mesh.evaluations[0].dataset_fingerprint == result.data.dataset_fingerprint


async def test_a_symbol_of_ones_own_is_the_one_the_mesh_knows(mesh: FakeMesh) -> None:
    class Own(EmaCross):
        def setup(self) -> None:
            price = StreamInput("X", interval="15m", period=192)
            direction = signals.cross(indicators.ema(price, 2), indicators.ema(price, 3))
            self.trade(signals.position_target(direction, long=1.0, short=0.0), price)

    submitter = Submitter(RetryingClient.open(mesh.client, 5.0, SystemClock()), "w")
    assembled, one = assemble(Own()), instrument("X", base="X", quote="USD", lot="0.5")
    with pytest.raises(NotFound, match="E_INSTRUMENT_UNKNOWN"):
        await submitter.instruments(assembled, None)
    assert await submitter.instruments(assembled, AccountTerms(instruments=(one,))) == (one,)
    mesh.venue = SimulatedAccount(spot(), {"USD": CASH}, instruments=[one])
    assert await submitter.instruments(assembled, None) == (one,)
    assert await submitter.instruments(assemble(EmaCross()), None) == ()


async def test_a_replay_is_in_the_worlds_account(mesh: FakeMesh) -> None:
    mesh.account_model = accountpb.AccountModel(
        type=accountpb.ACCOUNT_TYPE_MARGIN,
        leverage=3,
        starting_cash="5000",
        maker_fee_rate_min="0.0002",
        taker_fee_rate_min="0.003",
        slippage_rate_min="0.0005",
        participation_max="0.02",
    )
    result = await submit(mesh, EmaCross())
    said = mesh.evaluations[0].execution_model
    assert (said.maker_fee_rate, said.taker_fee_rate) == ("0.001", "0.003")  # never kinder than the default
    assert (said.slippage_rate, said.participation) == ("0.0005", "0.02")
    profile = margin(3, slippage="0.0005", participation="0.02")
    profile = replace(profile, fee=PercentFee(100_000, 300_000))
    terms = AccountTerms(profile=profile, cash=D(5000))
    bars = mesh.bars.between(None, mesh.start_ns)
    assert result.replay.equity == Runner.backtest(EmaCross(), bars, terms=terms).replay.equity
    submitter = Submitter(RetryingClient.open(mesh.client, 5.0, SystemClock()), "w")
    history = History(end=from_ns(mesh.start_ns))
    await submitter.submit(assemble(EmaTrend()), None, history, terms)  # the world's own, by name
    for own, field in ((AccountTerms(profile=spot("0")), "profile"), (AccountTerms(cash=D(10**6)), "cash")):
        with pytest.raises(InvalidRequest, match=f"E_FIELD: terms.{field} .* the account is world"):
            await submitter.submit(assemble(EmaTrend()), None, history, own)


async def test_a_replay_has_the_profile_that_the_world_asks_for_and_says_so_only_of_that_profile(
    mesh: FakeMesh,
) -> None:
    mesh.account_model = accountpb.AccountModel(profile="coinbase_spot", starting_cash="100000")
    result = await submit(mesh, EmaCross())
    bars = mesh.bars.between(None, mesh.start_ns)
    local = Runner.backtest(EmaCross(), bars, terms=AccountTerms(profile="coinbase_spot"))
    assert result.replay.equity == local.replay.equity
    assert mesh.evaluations[0].execution_model.profile == "coinbase_spot"
    kinder = replace(profile_named("coinbase_spot"), fee=PercentFee(0, 0))
    assert model_of(AccountTerms(profile=kinder)).profile == ""


async def test_the_orders_of_a_replay_are_sent_before_its_numbers(mesh: FakeMesh) -> None:
    result = await submit(mesh, EmaCross())
    (listed,) = mesh.order_lists.values()
    assert mesh.evaluations[0].order_list in mesh.order_lists
    assert [one.client_order_id for one in listed.orders] == [
        one.client_order_id for one in result.replay.orders if isinstance(one, MarketOrder)
    ]
    assert list(listed.dataset_fingerprints) == [result.data.artifact_fingerprint]
    assert ns_from_proto(listed.equity_after, "equity_after") == int(result.replay.time_ns[0]) - 1
    assert ns_from_proto(listed.range.start, "start") == int(result.bars[0].open_ns[0])
    assert ns_from_proto(listed.range.end, "end") == int(result.bars[0].close_ns[-1])
    assert (listed.world_id, listed.strategy_id, listed.base_currency) == ("w", result.strategy_id, "USD")


async def test_a_replay_that_waits_is_waited_for_and_one_that_cannot_be_is_said(mesh: FakeMesh) -> None:
    pending, refused = evaluationpb.EVIDENCE_STATE_PENDING, evaluationpb.EVIDENCE_STATE_REFUSED
    mesh.evidence = [pending, pending]
    mesh.warnings = ["sharpe is claimed to be 3.0, the replay came to 0.5"]
    result = await submit(mesh, EmaCross())
    assert result.evaluation is not None
    assert result.evaluation.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED
    text = str(result)
    assert "numbers replayed" in text
    assert text.index("warning  sharpe is claimed") < text.index("evaluation  PASS")
    mesh.evidence, mesh.evidence_message = [refused], "E_ARTIFACT_UNKNOWN: no such artifact"
    text = str(await submit(mesh, EmaTrend()))
    assert "evaluation  REFUSED" in text
    assert "counts for nothing: E_ARTIFACT_UNKNOWN" in " ".join(text.split())


async def test_changed_code_is_a_version_of_its_own_that_replaces_others_only_when_told(mesh: FakeMesh) -> None:
    def version(period: int) -> Strategy:
        class Crossing(Strategy):
            def setup(self) -> None:
                price = StreamInput("BTC-USD", interval="15m", period=192)
                direction = signals.cross(indicators.ema(price, period), indicators.ema(price, 9))
                self.trade(signals.position_target(direction, long=1.0, short=0.0), price)

        return Crossing()

    first = await submit(mesh, version(2))
    assert first.older == ()
    second = await submit(mesh, version(3))
    assert second.older == (first.strategy_id,)
    assert f"older versions of Crossing are in the world too: {first.strategy_id}" in str(second)
    assert not mesh.canceled
    submitter = Submitter(RetryingClient.open(mesh.client, 5.0, SystemClock()), "w")
    await submitter.supersede(second.older, second.strategy_id)
    assert mesh.canceled == {first.strategy_id: f"superseded by {second.strategy_id}"}
    assert (await submit(mesh, version(4))).older == (second.strategy_id,)


async def test_a_second_strategy_reuses_what_it_shares(mesh: FakeMesh) -> None:
    await submit(mesh, EmaCross())
    second = await submit(mesh, EmaTrend())
    assert second.nodes_reused == 2
    assert set(second.reused_names) == {"BTC-USD", "ema_192"}
    assert "2 of them already in the graph" in str(second)


async def test_submitting_what_is_live_attaches_and_says_so(mesh: FakeMesh) -> None:
    first, again = await submit(mesh, EmaCross()), await submit(mesh, EmaCross())
    assert again.attached
    assert again.strategy_id == first.strategy_id
    assert "was submitted before, as" in str(again)
    mesh.activate(first.strategy_id)
    assert "attached to live strategy" in str(await submit(mesh, EmaCross()))
    mesh.activate(first.strategy_id, active=False)
    assert "was submitted before, as" in str(await submit(mesh, EmaCross()))
    assert mesh.evaluations[0].run_id == mesh.evaluations[1].run_id


async def test_lost_replies_are_asked_for_again_and_nothing_is_doubled(mesh: FakeMesh) -> None:
    mesh.breaks.update({"SubmitStrategy": 2, "WatchStrategy": 1, "Fetch": 1, "Evaluate": 1})
    result = await submit(mesh, EmaCross())
    assert len(mesh.live) == 1
    assert not result.attached
    assert result.replay.equity == (await submit(FakeMesh(mesh.bars, 1400), EmaCross())).replay.equity


async def test_an_outage_that_lasts_too_long_ends_with_the_last_error(mesh: FakeMesh) -> None:
    mesh.breaks["SubmitStrategy"] = 1000
    with pytest.raises(Unavailable) as raised:
        await Submitter(RetryingClient.open(mesh.client, 0.2, SystemClock()), "w").bind(assemble(EmaCross()))
    assert raised.value.__notes__ == ["submit: no answer for 0.2 s"]


async def test_a_submission_that_failed_says_why(mesh: FakeMesh) -> None:
    await submit(mesh, EmaCross())
    for strategy in mesh.live.values():
        strategy.state, strategy.reason, strategy.message = controlpb.STRATEGY_STATE_FAILED, "E_GRAPH_BUSY", "lost"
    with pytest.raises(NotReady, match=r"E_SUBMISSION_FAILED: .* is FAILED in world w: E_GRAPH_BUSY: lost"):
        await submit(mesh, EmaCross())


async def test_history_that_does_not_say_what_it_delivered_is_no_history() -> None:
    async def cut(request: dataservicepb.FetchRequest) -> AsyncIterator[dataservicepb.FetchResponse]:
        yield dataservicepb.FetchResponse(arrow_ipc=b"rows")

    client = cast("Client", SimpleNamespace(data=SimpleNamespace(Fetch=lambda request: Replies(cut(request)))))
    with pytest.raises(NotReady, match="E_FETCH_CUT"):
        await fetch_arrow(client, dataservicepb.FetchRequest(dataset="test"))


@pytest.mark.parametrize(
    ("world", "data", "reason"),
    [("w", "no.such", "E_PRESET_UNKNOWN"), ("w", "test.away", "E_DATASET_UNAVAILABLE"), ("x", None, "E_WORLD_UNKNOWN")],
)
async def test_unknown_and_unavailable_are_named(mesh: FakeMesh, world: str, data: str | None, reason: str) -> None:
    with pytest.raises(QmtlError) as raised:
        await Submitter(RetryingClient.open(mesh.client, 1.0, SystemClock()), world).submit(
            assemble(EmaCross()), data, History(), None
        )
    assert raised.value.reason == reason
    assert not mesh.live


async def test_a_symbol_the_preset_does_not_have_is_named(mesh: FakeMesh) -> None:
    class Other(Strategy):
        def setup(self) -> None:
            self.add_nodes(indicators.ema(StreamInput("ETH-USD"), 3))

    with pytest.raises(NotFound, match="ETH-USD at 900s is not what test"):
        await submit(mesh, Other())


async def test_a_failed_submission_says_why(mesh: FakeMesh) -> None:
    await submit(mesh, EmaCross())
    strategy = next(iter(mesh.live.values()))
    strategy.reason = "the graph refused it"
    strategy.state = controlpb.STRATEGY_STATE_FAILED
    with pytest.raises(NotReady, match="FAILED in world w: the graph refused it"):
        await submit(mesh, EmaCross())


async def test_result_serialises_and_draws(mesh: FakeMesh, tmp_path: Path) -> None:
    result = await submit(mesh, EmaCross())
    document = json.loads(result.to_json())
    assert document["decision"]["effective_mode"] == "EFFECTIVE_MODE_COMPUTE_ONLY"
    assert document["strategy_id"] == result.strategy_id
    assert result.plot(tmp_path / "submit.png").exists()


def test_what_is_sent_is_what_the_gateway_recomputes() -> None:
    assembled = assemble(EmaTrend())
    request = submission(assembled, "w")
    dag = dag_from_proto(request.dag)
    assert dag.node_ids == tuple(vertex.node_id for vertex in assembled.dag.nodes)
    assert request.node_ids_crc32 == assembled.dag.crc32
    classes = {node.name: node.queue_class for node in request.dag.nodes}
    assert classes["BTC-USD"] == dagpb.QUEUE_CLASS_RAW
    assert classes["slope"] == dagpb.QUEUE_CLASS_INDICATOR
    assert classes["orders"] == dagpb.QUEUE_CLASS_TRADE
    assert request.hints.execution_domain == commonpb.EXECUTION_DOMAIN_UNSPECIFIED


class Fails(EmaCross):
    """Raises when its replay begins."""

    def on_start(self) -> None:
        raise ZeroDivisionError("boom")


async def test_a_submission_that_fails_is_withdrawn_and_says_so(mesh: FakeMesh) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        await submit(mesh, Fails())
    assert mesh.canceled == {"s-1": "its submission ended: ZeroDivisionError"}
    assert raised.value.__notes__ == ["strategy s-1 was withdrawn from world w"]


async def test_a_submission_that_is_interrupted_is_withdrawn(mesh: FakeMesh) -> None:
    mesh.silent_queues = True
    working = asyncio.create_task(submit(mesh, EmaCross()))
    await eventually(lambda: bool(mesh.live))
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert mesh.canceled == {"s-1": "its submission ended: CancelledError"}


async def test_what_was_live_before_stays_when_a_second_submission_fails(mesh: FakeMesh) -> None:
    await submit(mesh, EmaCross())
    with pytest.raises(ZeroDivisionError):
        await submit(mesh, Fails())
    assert mesh.canceled == {}


async def test_what_could_not_be_withdrawn_is_named(mesh: FakeMesh) -> None:
    mesh.breaks["CancelStrategy"] = 1
    with pytest.raises(ZeroDivisionError) as raised:
        await submit(mesh, Fails())
    (note,) = raised.value.__notes__
    assert note.startswith("strategy s-1 may still be bound to world w: E_TEST")
