"""Evidence through real processes: the world's numbers are the backtest's, to the last digit, whatever is claimed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.ema_cross import EmaCross
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.supervisor import Mesh
from qmtl.rpc.chunks import Chunked
from qmtl.sdk import Runner, Strategy
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.history import Fetched, History
from qmtl.sdk.mesh.submission.evaluation import backtest_report, order_list
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.strategy.assembly import assemble
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.paper.test_parity import Guarded
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

WORLD, PRESET = "proven", "demo.btc.15m"
CUT = datetime(2021, 12, 25, 13, 30, tzinfo=UTC)
POLICY = """
data_currency: {max_lag: 1d, min_history: 30d}
selection: {gates: {and: ["sharpe >= 3.0"]}, score: "sharpe"}
gating_policy: {execution_model: {taker_fee_bps: 12, slippage_bps: 1, participation: 0.05}}
"""
REPLAYED, REFUSED = evaluationpb.EVIDENCE_STATE_REPLAYED, evaluationpb.EVIDENCE_STATE_REFUSED


@pytest.fixture
async def own_mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    """A mesh that may be broken."""
    async with Mesh(laid_plan(tmp_path / "home")) as mesh:
        yield mesh


def evidence(run: evaluationpb.EvaluationRun | None) -> dict[str, float]:
    """The numbers of a run that was replayed without a word of warning."""
    assert run is not None
    assert (run.evidence_state, list(run.warnings)) == (REPLAYED, []), run
    return {metric.name: metric.value for metric in run.metrics}


async def submitted(gateway: Gateway, strategy: Strategy) -> SubmitResult:
    return await Runner.submit_async(strategy, world=WORLD, history=History(end=CUT), gateway=gateway)


async def evaluated(
    client: Client, result: SubmitResult, claims: dict[str, float], listed: evaluationpb.OrderList
) -> evaluationpb.EvaluationRun:
    """What the world makes of a list and claims beside it."""
    chunks = Chunked(evaluationservicepb.PutOrderListRequest, listed, [WORLD])
    request = backtest_report(WORLD, result.strategy_id, Fetched((), result.data), claims)
    request.order_list = (await client.evaluation.PutOrderList(chunks)).order_list
    run = (await client.evaluation.Evaluate(request)).run
    asked = evaluationservicepb.GetEvaluationRunRequest(
        world_id=WORLD, strategy_id=result.strategy_id, run_id=run.run_id
    )
    found = [run]

    async def is_settled() -> bool:
        found[:] = [(await client.evaluation.GetEvaluationRun(asked)).run]
        return found[0].evidence_state != evaluationpb.EVIDENCE_STATE_PENDING

    await eventually(is_settled, 60.0)
    return found[0]


@pytest.mark.timeout(240)
async def test_the_worlds_numbers_are_the_backtests_whatever_is_claimed(own_mesh: Mesh) -> None:
    gateway = Gateway(address=own_mesh.address("gateway"), home=own_mesh.home)
    async with open_client(gateway) as client:
        await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=WORLD, data_presets=[PRESET]))
        put = policyservicepb.PutPolicyRequest(world_id=WORLD, document=POLICY, make_default=True)
        await client.policies.PutPolicy(put)

        cross = await submitted(gateway, EmaCross())
        assert evidence(cross.evaluation) == {**cross.metrics, "cross_context_cache_hits": 0.0}
        assert cross.metrics["n_trades"] > 3
        pid = own_mesh.kill("brokerage", signal.SIGKILL)
        submitting = asyncio.create_task(submitted(gateway, Guarded()))
        await own_mesh.ready("brokerage", other_than=pid, timeout_s=60)
        guarded = await submitting
        assert evidence(guarded.evaluation) == {**guarded.metrics, "cross_context_cache_hits": 0.0}
        assert guarded.metrics["n_trades"] > 20

        honest = evidence(cross.evaluation)
        data = Fetched(cross.bars, cross.data, (cross.data.artifact_fingerprint,))
        listed = order_list(WORLD, cross.strategy_id, data, cross.replay, assemble(EmaCross()).rules)
        assert listed is not None
        claims = {
            **cross.metrics,
            "sharpe": 25.15,
            "final_equity": cross.metrics["final_equity"] * 1.5,
            "n_trades": 2.0,
        }
        run = await evaluated(client, cross, claims, listed)
        assert {metric.name: metric.value for metric in run.metrics if metric.name in cross.metrics} == cross.metrics
        assert run.report.summary == evaluationpb.EVALUATION_SUMMARY_FAIL  # 25.15 would pass
        assert [line.split()[0] for line in run.warnings] == ["final_equity", "n_trades", "sharpe"]

        beyond = evaluationpb.OrderList()  # a sale at a price that no bar has: it is not filled
        beyond.CopyFrom(listed)
        sale = next(one for one in beyond.orders if one.side == orderpb.ORDER_SIDE_SELL)
        sale.type, sale.limit_price = orderpb.ORDER_TYPE_LIMIT, "900000"
        run = await evaluated(client, cross, dict(cross.metrics), beyond)
        found = {metric.name: metric.value for metric in run.metrics}
        assert run.evidence_state == REPLAYED
        assert found["n_trades"] < honest["n_trades"]
        assert found["final_equity"] < 10 * honest["final_equity"]

        wrong = evaluationpb.OrderList()
        wrong.CopyFrom(listed)
        wrong.dataset_fingerprints[0] = "sha256:" + "0" * 64
        run = await evaluated(client, cross, dict(cross.metrics), wrong)
        assert (run.evidence_state, run.evidence_reason) == (REFUSED, "E_ARTIFACT_UNKNOWN")
