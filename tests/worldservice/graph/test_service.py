"""The World View Graph over the wire: scoped by world and domain, keyed by EvalKey, paged."""

from __future__ import annotations

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied
from qmtl.core.identity.keys import EvalFacts, eval_key
from qmtl.core.modes import ExecutionDomain
from qmtl.core.roles import Role
from qmtl.world.v1 import audit_pb2 as auditpb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from tests.worldservice.harness import WorldHarness, make_world

BACKTEST, DRYRUN = commonpb.EXECUTION_DOMAIN_BACKTEST, commonpb.EXECUTION_DOMAIN_DRYRUN
A, B, C = (f"blake3:{letter * 64}" for letter in "abc")
VALID = worldgraphpb.WORLD_NODE_STATUS_VALID


def node(node_id: str = A, **fields: object) -> worldgraphservicepb.UpsertWorldNodeRequest:
    known = {"world_id": "w1", "node_id": node_id, "status": VALID, **fields}
    return worldgraphservicepb.UpsertWorldNodeRequest(node=worldgraphpb.WorldNode(**known))  # type: ignore[arg-type]  # fields by name


def parts(node_id: str = A, **fields: object) -> worldgraphpb.EvalKeyParts:
    known = {"world_id": "w1", "node_id": node_id, "contract_id": "c", "code_version": "1", **fields}
    return worldgraphpb.EvalKeyParts(**known)  # type: ignore[arg-type]  # fields by name


async def test_a_node_is_seen_per_domain_and_an_unset_domain_is_backtest(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    written = (await ann.world_graph.UpsertWorldNode(node(annotations={"why": "tested"}))).node
    assert written.execution_domain == BACKTEST
    await ann.world_graph.UpsertWorldNode(node(execution_domain=DRYRUN, status=worldgraphpb.WORLD_NODE_STATUS_RUNNING))
    await ann.world_graph.UpsertWorldNode(node(status=worldgraphpb.WORLD_NODE_STATUS_PAUSED))
    await ann.world_graph.UpsertWorldNode(node(B))
    listed: list[worldgraphpb.WorldNode] = []
    page = commonpb.PageRequest(page_size=1)
    while True:
        reply = await ann.world_graph.ListWorldNodes(
            worldgraphservicepb.ListWorldNodesRequest(world_id="w1", page=page)
        )
        listed += reply.nodes
        if not reply.page.next_page_token:
            break
        page.page_token = reply.page.next_page_token
    assert [(n.node_id, n.execution_domain, n.status) for n in listed] == [
        (A, BACKTEST, worldgraphpb.WORLD_NODE_STATUS_PAUSED),
        (A, DRYRUN, worldgraphpb.WORLD_NODE_STATUS_RUNNING),
        (B, BACKTEST, VALID),
    ]
    await ann.world_graph.DeleteWorldNode(worldgraphservicepb.DeleteWorldNodeRequest(world_id="w1", node_id=A))
    with pytest.raises(NotFound) as caught:
        await ann.world_graph.DeleteWorldNode(worldgraphservicepb.DeleteWorldNodeRequest(world_id="w1", node_id=A))
    assert caught.value.reason == "E_WORLD_NODE_UNKNOWN"
    assert (
        len((await ann.world_graph.ListWorldNodes(worldgraphservicepb.ListWorldNodesRequest(world_id="w1"))).nodes) == 2
    )


async def test_a_validation_is_found_under_its_key_and_under_no_other(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    put = worldgraphservicepb.PutValidationRequest(parts=parts(), valid=True, metrics={"error": 0.5})
    stored = (await ann.world_graph.PutValidation(put)).validation
    assert stored.eval_key == eval_key(EvalFacts(A, "w1", ExecutionDomain.BACKTEST, "c", "", "1", ""))
    assert (
        await ann.world_graph.LookupValidation(worldgraphservicepb.LookupValidationRequest(parts=parts()))
    ).validation == stored
    for change in (
        {"code_version": "2"},
        {"contract_id": "d"},
        {"dataset_fingerprint": "blake3:x"},
        {"resource_policy": "big"},
        {"execution_domain": DRYRUN},
    ):
        with pytest.raises(NotFound) as caught:
            await ann.world_graph.LookupValidation(worldgraphservicepb.LookupValidationRequest(parts=parts(**change)))
        assert caught.value.reason == "E_VALIDATION_UNKNOWN"


async def test_invalidation_is_scoped_by_node_and_domain(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    for node_id in (A, B):
        for domain in (BACKTEST, DRYRUN):
            put = worldgraphservicepb.PutValidationRequest(parts=parts(node_id, execution_domain=domain), valid=True)
            await ann.world_graph.PutValidation(put)
    one = worldgraphservicepb.InvalidateValidationsRequest(world_id="w1", node_id=A, execution_domain=DRYRUN)
    assert (await ann.world_graph.InvalidateValidations(one)).invalidated == 1
    assert (await ann.world_graph.InvalidateValidations(one)).invalidated == 0
    everywhere = worldgraphservicepb.InvalidateValidationsRequest(world_id="w1", execution_domain=BACKTEST)
    assert (await ann.world_graph.InvalidateValidations(everywhere)).invalidated == 2
    assert (
        await ann.world_graph.InvalidateValidations(worldgraphservicepb.InvalidateValidationsRequest(world_id="w1"))
    ).invalidated == 1


async def test_edges_are_switched_per_world(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    await make_world(harness, "w2")
    off = worldgraphpb.EdgeOverride(world_id="w1", from_node_id=A, to_node_id=B, active=False, message="not promoted")
    await ann.world_graph.PutEdgeOverride(worldgraphservicepb.PutEdgeOverrideRequest(override=off))
    on = worldgraphpb.EdgeOverride(world_id="w1", from_node_id=A, to_node_id=B, active=True, message="promoted")
    await ann.world_graph.PutEdgeOverride(worldgraphservicepb.PutEdgeOverrideRequest(override=on))
    known = worldgraphpb.EdgeOverride(to_domain=BACKTEST, from_domain=BACKTEST, standing=worldgraphpb.EDGE_STANDING_ON)
    known.MergeFrom(on)
    assert list(
        (await ann.world_graph.ListEdgeOverrides(worldgraphservicepb.ListEdgeOverridesRequest(world_id="w1"))).overrides
    ) == [known]
    assert not (
        await ann.world_graph.ListEdgeOverrides(worldgraphservicepb.ListEdgeOverridesRequest(world_id="w2"))
    ).overrides
    gone = worldgraphservicepb.DeleteEdgeOverrideRequest(world_id="w1", from_node_id=A, to_node_id=B)
    await ann.world_graph.DeleteEdgeOverride(gone)
    with pytest.raises(NotFound) as caught:
        await ann.world_graph.DeleteEdgeOverride(gone)
    assert caught.value.reason == "E_EDGE_OVERRIDE_UNKNOWN"


async def test_bad_ids_and_strangers_are_refused_and_audited(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    rob = await harness.stub(Role.READER, "rob")
    with pytest.raises(PermissionDenied):
        await rob.world_graph.UpsertWorldNode(node())
    for request in (node("a"), node(A, last_eval_key="x"), node(A, annotations={"": "x"}), node(A, status=0)):
        with pytest.raises(InvalidRequest):
            await ann.world_graph.UpsertWorldNode(request)
    loop = worldgraphpb.EdgeOverride(world_id="w1", from_node_id=A, to_node_id=A)
    with pytest.raises(InvalidRequest):
        await ann.world_graph.PutEdgeOverride(worldgraphservicepb.PutEdgeOverrideRequest(override=loop))
    with pytest.raises(InvalidRequest):
        await ann.world_graph.PutValidation(
            worldgraphservicepb.PutValidationRequest(parts=parts(), metrics={"x": float("inf")})
        )
    audit = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
    refused = [entry for entry in audit if entry.result == auditpb.AUDIT_RESULT_REFUSED]
    assert {(entry.actor, entry.event) for entry in refused} == {
        ("rob", "UpsertWorldNode"),
        ("ann", "UpsertWorldNode"),
        ("ann", "PutEdgeOverride"),
        ("ann", "PutValidation"),
    }
