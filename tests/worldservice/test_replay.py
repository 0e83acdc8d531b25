"""The logs tell the whole story: replayed, they make the same decisions and the same activation."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.json_format import Parse
from google.protobuf.message_factory import GetMessageClass

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.sql.database import Database, sqlite_url
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_pb2 as auditpb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import METHODS, WorldStubs
from tests.worldservice.harness import LONG, SHORT, WorldHarness, evaluation, make_world, raising, running_harness
from worldservice.activation.domain.activation import fence_for
from worldservice.activation.store import activations
from worldservice.activation.wire import activation_to_proto
from worldservice.worlds.store import worlds

POLICY = """\
data_currency: {max_lag: 1d}
selection:
  gates: "sharpe > 0.5"
  score: "sharpe"
  topk: {total: 2}
  hysteresis: {promote_after: 1, demote_after: 2}
evidence: claims
"""


async def lived(harness: WorldHarness) -> WorldStubs:
    """Some days of a world: joins, evaluations, changes, a breaker, a stricter policy."""
    ann = await make_world(harness, "w1", document=POLICY)
    for name in ("a", "b", "c"):
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
    for day, sharpes in enumerate([(1, 2, 3), (1, 0, 3), (2, 0, 0), (2, 1, 3)]):
        for name, sharpe in zip("abc", sharpes, strict=True):
            harness.clock.advance(60.0)
            await ann.evaluation.Evaluate(evaluation(harness, "w1", name, f"r{day}", sharpe=float(sharpe)))
    selected = (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision.selected
    for name in selected:
        await ann.activation.SetActivation(raising("w1", name))
        await ann.activation.SetActivation(raising("w1", name, SHORT))
    change = activationpb.ActivationChange(strategy_id=selected[0], side=LONG, weight="0.25", drain=True)
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=False, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    await ann.activation.SetActivation(raising("w1", selected[0]))
    strict = POLICY.replace("0.5", "1.5")
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=strict, make_default=True))
    return ann


async def state(
    ann: WorldStubs,
) -> tuple[decisionpb.DecisionEnvelope, activationpb.ActivationEnvelope]:
    decision = (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision
    activation = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation
    return decision, activation


async def audit(ann: WorldStubs) -> list[auditpb.AuditEntry]:
    page = commonpb.PageRequest(page_size=1000)
    entries = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1", page=page))).entries
    return [entry for entry in reversed(entries) if entry.result == auditpb.AUDIT_RESULT_OK and entry.request]


async def runs_of(ann: WorldStubs) -> list[bytes]:
    """Every run with its report, as it was decided at the time."""
    runs = (await ann.evaluation.ListEvaluationRuns(evaluationservicepb.ListEvaluationRunsRequest(world_id="w1"))).runs
    return [run.SerializeToString(deterministic=True) for run in runs]


async def test_the_audit_log_replayed_makes_the_same_decisions_and_the_same_activation(
    tmp_path: Path, nats_url: str
) -> None:
    for name in ("replay", "life"):
        (tmp_path / name).mkdir()
    async with (
        running_harness(tmp_path / "replay", nats_url) as replay,
        running_harness(tmp_path / "life", nats_url) as life,
    ):
        before = await lived(life)
        again = await replay.stub()
        for entry in await audit(before):
            replay.clock.advance_to(max(replay.clock.now(), entry.time.ToDatetime(replay.clock.now().tzinfo)))
            request = Parse(entry.request, GetMessageClass(METHODS[entry.event].input_type)())
            await again.method(entry.event)(request)
        assert await state(again) == await state(before)
        assert await runs_of(again) == await runs_of(before)


async def test_the_history_of_activations_makes_the_present_one(harness: WorldHarness) -> None:
    before = await state(await lived(harness))
    await harness.stop()
    db = Database(sqlite_url(harness.home / "state" / "worldservice.db"))
    rows = await db.read(lambda conn: activations.history_after(conn, "w1", 0, 1000))
    stored = await db.read(
        lambda conn: activations.load_activation(conn, "w1", worlds.get_world(conn, "w1").created_at)
    )
    await db.close()
    envelopes = [activationpb.ActivationEnvelope.FromString(row) for row in rows]
    assert [e.previous_world_revision for e in envelopes] == [0, *[e.world_revision for e in envelopes[:-1]]]
    last = envelopes[-1]
    last.fence_pending = False
    last.ClearField("sessions")
    assert activation_to_proto(stored, ()) == last
    assert (stored.fence.state, stored.fence.effective_mode, stored.fence.standings) == fence_for(stored.entries)
    assert stored.state_hash == before[1].state_hash
