"""Strategies over the wire: acceptance, races, watching, and that an ended one is undone everywhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable

import pytest

from gateway.submissions.domain import WORLDS_MAX
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.chunks import Chunked
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from tests.gateway.harness import (
    GatewayHarness,
    assignments_of,
    bound,
    live_worlds,
    make_world,
    request_for,
    settled,
    submitted,
)
from tests.mesh.gateway_client import GatewayClient, in_chunks, source_node, submission
from tests.support.waiting import eventually

COMPLETED, CANCELED = controlpb.STRATEGY_STATE_COMPLETED, controlpb.STRATEGY_STATE_CANCELED


async def history(client: GatewayClient, strategy_id: str) -> list[int]:
    request = strategyservicepb.GetStrategyHistoryRequest(strategy_id=strategy_id)
    return [entry.state for entry in (await client.strategies.GetStrategyHistory(request)).entries]


async def test_submission_completes_bound_and_planned(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    assert strategy.state == COMPLETED
    assert strategy.plan_version == 1
    assert [one.world_id for one in strategy.outcomes] == [world]
    assert [one.world_id for one in await assignments_of(ann, strategy)] == [world]
    assert await bound(ann, world) == [strategy.strategy_id]
    assert await live_worlds(ann, strategy.strategy_id) == [world]


async def test_same_request_from_many_at_once_is_one_strategy(harness: GatewayHarness) -> None:
    await harness.start_gateway("gateway-2")
    clients = [await harness.client(), await harness.client(at="gateway-2")]
    request = request_for(await make_world(clients[0]))
    replies = await asyncio.gather(*(clients[n % 2].strategies.SubmitStrategy(in_chunks(request)) for n in range(16)))
    assert len({reply.strategy.strategy_id for reply in replies}) == 1
    assert [reply.repeated_request for reply in replies].count(False) == 1
    strategy = await settled(clients[0], replies[0].strategy.strategy_id)
    assert Counter(await history(clients[1], strategy.strategy_id))[COMPLETED] == 1


async def test_same_dag_from_many_at_once_is_accepted_once(harness: GatewayHarness) -> None:
    await harness.start_gateway("gateway-2")
    clients = [await harness.client(), await harness.client(at="gateway-2")]
    world = await make_world(clients[0])
    calls = [clients[n % 2].strategies.SubmitStrategy(in_chunks(request_for(world))) for n in range(8)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    won = [one for one in outcomes if isinstance(one, strategyservicepb.SubmitStrategyResponse)]
    lost = [one for one in outcomes if isinstance(one, AlreadyExists)]
    assert (len(won), len(lost)) == (1, 7)
    assert {one.metadata["strategy_id"] for one in lost} == {won[0].strategy.strategy_id}


async def test_request_id_with_another_body_is_refused(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await ann.strategies.SubmitStrategy(in_chunks(request_for(world, "BTC-USD", "same")))
    with pytest.raises(Conflict) as refused:
        await ann.strategies.SubmitStrategy(in_chunks(request_for(world, "ETH-USD", "same")))
    assert refused.value.reason == "E_REQUEST_ID_REUSED"


async def test_submission_needs_operator_in_a_known_world(harness: GatewayHarness) -> None:
    ann, bob = await harness.client(), await harness.client(Role.READER, "bob")
    world = await make_world(ann)
    with pytest.raises(PermissionDenied):
        await bob.strategies.SubmitStrategy(in_chunks(request_for(world)))
    with pytest.raises(NotFound):
        await ann.strategies.SubmitStrategy(in_chunks(request_for("w-none")))
    request = request_for(world)
    request.node_ids_crc32 += 1
    with pytest.raises(InvalidRequest) as refused:
        await ann.strategies.SubmitStrategy(in_chunks(request))
    assert refused.value.reason == "E_CHECKSUM_MISMATCH"


def dry_run(asked: strategypb.StrategySubmission) -> Chunked[strategyservicepb.DryRunStrategyRequest]:
    return Chunked(strategyservicepb.DryRunStrategyRequest, asked, asked.world_ids)


async def drained(replies: AsyncIterable[object]) -> None:
    async for _ in replies:
        pass


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({f"l{number}": "x" for number in range(65)}, "meta.labels"),
        ({"long": "x" * 201}, "meta.labels[long]"),
        ({"l" * 201: "x"}, "meta.labels"),
    ],
)
async def test_labels_that_no_listing_has_room_for_are_refused(
    harness: GatewayHarness, labels: dict[str, str], field: str
) -> None:
    ann = await harness.client()
    asked = request_for(await make_world(ann))
    asked.meta.labels.update(labels)
    with pytest.raises(InvalidRequest) as refused:
        await ann.strategies.SubmitStrategy(in_chunks(asked))
    assert (refused.value.reason, refused.value.violations[0].field) == ("E_FIELD", field)


async def test_a_submission_for_other_worlds_than_its_metadata_names_is_refused(harness: GatewayHarness) -> None:
    """Its caller's role was asked in the worlds of the metadata only."""
    ann = await harness.client()
    here, there = await make_world(ann), await make_world(ann)
    asked = request_for(there)
    for worlds in ([here], [here, there]):
        with pytest.raises(InvalidRequest) as refused:
            await ann.strategies.SubmitStrategy(Chunked(strategyservicepb.SubmitStrategyRequest, asked, worlds))
        assert refused.value.reason == "E_WORLD_IDS_MISMATCH"
    assert await bound(ann, there) == []


async def test_who_may_not_submit_is_refused_before_the_payload_is_read(harness: GatewayHarness) -> None:
    ann, bob = await harness.client(), await harness.client(Role.READER, "bob")
    world = await make_world(ann)
    said = (("x-total-bytes", "1000000"), ("x-world-ids", world))
    with pytest.raises(PermissionDenied):
        await bob.strategies.SubmitStrategy(metadata=said, timeout=20)  # nothing of it is ever sent


async def test_a_submission_of_many_chunks_completes(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    ballast = {f"ballast-{index}": "x" * 90_000 for index in range(10)}
    asked = submission(world, [source_node(f"S{number}", **ballast) for number in range(3)])
    assert asked.ByteSize() > 2 * 1024 * 1024
    reply = await ann.strategies.SubmitStrategy(in_chunks(asked))
    assert (await settled(ann, reply.strategy.strategy_id)).state == COMPLETED


async def test_dry_run_checks_its_worlds(harness: GatewayHarness) -> None:
    ann = await harness.client()
    request = request_for(await make_world(ann))
    dry = strategypb.StrategySubmission(
        meta=request.meta, dag=request.dag, node_ids_crc32=request.node_ids_crc32, world_ids=request.world_ids
    )
    parts = [part async for part in ann.strategies.DryRunStrategy(dry_run(dry))]
    assert [len(part.outcomes) for part in parts] == [1, 0]
    assert [[one.world_id for one in part.assignments] for part in parts] == [[], list(request.world_ids)]
    assert [part.summary.nodes for part in parts] == [0, 1]
    dry.world_ids.extend(f"{request.world_ids[0]}-{index}" for index in range(WORLDS_MAX))
    with pytest.raises(InvalidRequest) as many:
        await drained(ann.strategies.DryRunStrategy(dry_run(dry)))
    assert many.value.reason == "E_WORLD_IDS"
    del dry.world_ids[:]
    with pytest.raises(InvalidRequest) as refused:
        await drained(ann.strategies.DryRunStrategy(dry_run(dry)))
    assert refused.value.reason == "E_WORLD_IDS_REQUIRED"


async def test_the_outcome_has_the_binding_and_the_plan(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    (binding,) = (await ann.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id=world))).bindings
    assert strategy.plan_version == 1
    assert strategy.outcomes[0].binding == binding


async def test_accepted_while_dagmanager_is_away_completes_when_it_is_back(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await harness.stop("dagmanager")
    reply = await ann.strategies.SubmitStrategy(in_chunks(request_for(world)))
    assert reply.strategy.state in (controlpb.STRATEGY_STATE_QUEUED, controlpb.STRATEGY_STATE_PROCESSING)
    await harness.start("dagmanager")
    strategy = await settled(ann, reply.strategy.strategy_id)
    assert strategy.state == COMPLETED
    assert Counter(await history(ann, strategy.strategy_id))[COMPLETED] == 1


async def test_watch_tells_each_state_until_the_last(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await harness.stop("dagmanager")
    strategy_id = (await ann.strategies.SubmitStrategy(in_chunks(request_for(world)))).strategy.strategy_id
    watching = asyncio.create_task(settled(ann, strategy_id))
    await harness.start("dagmanager")
    assert (await watching).state == COMPLETED


async def test_canceled_strategy_ends_unbound_and_released(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    for message in ("a\x00b", "x" * 201):
        with pytest.raises(InvalidRequest) as refused:
            await ann.strategies.CancelStrategy(
                strategyservicepb.CancelStrategyRequest(strategy_id=strategy.strategy_id, message=message)
            )
        assert refused.value.reason == "E_FIELD"
    request = strategyservicepb.CancelStrategyRequest(strategy_id=strategy.strategy_id, message="enough")
    canceled = (await ann.strategies.CancelStrategy(request)).strategy
    assert (canceled.state, canceled.message, canceled.release_pending) == (CANCELED, "enough", False)
    assert await bound(ann, world) == []
    assert await live_worlds(ann, strategy.strategy_id) == []
    assert (await ann.strategies.CancelStrategy(request)).strategy == canceled
    assert (await submitted(ann, world)).strategy_id != strategy.strategy_id


@pytest.mark.parametrize("away", ["worldservice", "dagmanager"])
async def test_canceled_while_a_service_is_away_is_undone_when_it_is_back(harness: GatewayHarness, away: str) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    request = strategyservicepb.CancelStrategyRequest(strategy_id=strategy.strategy_id)
    await harness.stop(away)
    canceled = (await ann.strategies.CancelStrategy(request)).strategy
    assert (canceled.state, canceled.release_pending) == (CANCELED, True)
    await harness.stop("gateway")
    await harness.start(away)
    await harness.start_gateway("gateway")

    async def undone() -> bool:
        reply = await ann.strategies.GetStrategy(strategyservicepb.GetStrategyRequest(strategy_id=strategy.strategy_id))
        return not reply.strategy.release_pending

    await eventually(undone)
    assert await bound(ann, world) == []
    assert await live_worlds(ann, strategy.strategy_id) == []


async def test_canceled_in_the_middle_of_its_work_ends_unbound(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    await harness.stop("dagmanager")
    strategy_id = (await ann.strategies.SubmitStrategy(in_chunks(request_for(world)))).strategy.strategy_id

    async def is_bound() -> bool:
        return await bound(ann, world) == [strategy_id]

    await eventually(is_bound)
    await ann.strategies.CancelStrategy(strategyservicepb.CancelStrategyRequest(strategy_id=strategy_id))
    await harness.start("dagmanager")

    async def undone() -> bool:
        reply = await ann.strategies.GetStrategy(strategyservicepb.GetStrategyRequest(strategy_id=strategy_id))
        return not reply.strategy.release_pending

    await eventually(undone, timeout_s=40)
    assert await bound(ann, world) == []
    assert await live_worlds(ann, strategy_id) == []


async def test_canceled_strategy_is_listed_without_outcomes(harness: GatewayHarness) -> None:
    ann = await harness.client()
    world = await make_world(ann)
    strategy = await submitted(ann, world)
    cancel = strategyservicepb.CancelStrategyRequest(strategy_id=strategy.strategy_id)
    await ann.strategies.CancelStrategy(cancel)
    listed = await ann.strategies.ListStrategies(
        strategyservicepb.ListStrategiesRequest(world_id=world, state=CANCELED)
    )
    assert [one.strategy_id for one in listed.strategies] == [strategy.strategy_id]
    assert listed.strategies[0].outcomes == []


async def test_token_of_other_worlds_sees_nothing(harness: GatewayHarness) -> None:
    ann, eve = await harness.client(), await harness.client(Role.OWNER, "eve", ["w-other"])
    strategy = await submitted(ann, await make_world(ann))
    with pytest.raises(PermissionDenied) as refused:
        await eve.strategies.GetStrategy(strategyservicepb.GetStrategyRequest(strategy_id=strategy.strategy_id))
    assert refused.value.reason == "E_WORLD_FORBIDDEN"
    assert (await eve.strategies.ListStrategies(strategyservicepb.ListStrategiesRequest())).strategies == []


async def test_a_strategy_of_thousands_of_nodes_is_answered_in_replies_of_a_message_each(
    harness: GatewayHarness,
) -> None:
    ann = await harness.client()
    first, second = sorted([await make_world(ann), await make_world(ann)])
    made = [source_node(f"S{number}") for number in range(3_000)]
    asked = submission(first, made)
    asked.world_ids.append(second)
    said = [part async for part in ann.strategies.DryRunStrategy(dry_run(asked))]
    assert sum(len(part.assignments) for part in said) == 6_000
    reply = await ann.strategies.SubmitStrategy(in_chunks(asked))
    strategy = await settled(ann, reply.strategy.strategy_id)
    assert (strategy.state, strategy.nodes) == (COMPLETED, 3_000)
    request = strategyservicepb.ListAssignmentsRequest(
        strategy_id=strategy.strategy_id, world_id=second, page=commonpb.PageRequest(page_size=700)
    )
    pages: list[list[str]] = []
    while request.page.page_token or not pages:
        page = await ann.strategies.ListAssignments(request)
        assert {one.world_id for one in page.assignments} == {second}
        pages.append([one.name for one in page.assignments])
        request.page.page_token = page.page.next_page_token
    assert [len(page) for page in pages] == [700, 700, 700, 700, 200]
    assert sorted(name for page in pages for name in page) == sorted(node.name for node in made)
    request.world_id = "another"
    with pytest.raises(InvalidRequest) as refused:
        await ann.strategies.ListAssignments(request)
    assert refused.value.reason == "E_WORLD_ID"
