"""Bad input through the public entry: refused with a stable reason, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from qmtl.cli.local.supervisor import Mesh
from qmtl.core.errors import (
    DeadlineExceeded,
    Exhausted,
    InvalidRequest,
    NotFound,
    NotReady,
    PermissionDenied,
    QmtlError,
    Unauthenticated,
    Unavailable,
)
from qmtl.core.identity.keys import node_ids_crc32
from qmtl.core.roles import Role
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.gateway_client import (
    GatewayClient,
    child_node,
    in_chunks,
    new_world,
    open_gateway_client,
    source_node,
    submission,
)

Submit = strategypb.StrategySubmission


def wrong_node_id(request: Submit) -> None:
    request.dag.nodes[0].node_id = "blake3:" + "0" * 64
    request.node_ids_crc32 = node_ids_crc32([node.node_id for node in request.dag.nodes])


def wrong_crc(request: Submit) -> None:
    request.node_ids_crc32 ^= 1


def cycle(request: Submit) -> None:
    first, second = child_node("first", []), child_node("second", [])
    first.spec.dependencies[:] = [second.node_id]
    second.spec.dependencies[:] = [first.node_id]
    for node in (first, second):
        node.input_ids[:] = node.spec.dependencies
    request.dag.nodes.extend([first, second])
    request.node_ids_crc32 = node_ids_crc32([node.node_id for node in request.dag.nodes])


def unknown_dependency(request: Submit) -> None:
    request.dag.nodes.append(child_node("orphan", ["blake3:" + "1" * 64]))
    request.node_ids_crc32 = node_ids_crc32([node.node_id for node in request.dag.nodes])


def missing_world(request: Submit) -> None:
    del request.world_ids[:]


def nan_parameter(request: Submit) -> None:
    request.dag.nodes[0].spec.params.fields["x"].number_value = float("nan")


def huge_integer(request: Submit) -> None:
    request.dag.nodes[0].spec.params.fields["x"].number_value = float(2**53 + 2)


def context_key(request: Submit) -> None:
    request.dag.nodes[0].spec.params.fields["world_id"].string_value = "other"


def unknown_enum(request: Submit) -> None:
    request.dag.nodes[0].queue_class = 99  # type: ignore[assignment]  # no such number is the point


def eleven_thousand_nodes(request: Submit) -> None:
    request.dag.nodes.extend(source_node("BTC-USD", n=float(number)) for number in range(11_000))


def nine_mebibytes(request: Submit) -> None:
    request.meta.labels["ballast"] = "x" * (9 * 1024 * 1024)


def unknown_hint(request: Submit) -> None:
    request.hints.execution_domain = 77  # type: ignore[assignment]  # no such number is the point


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (wrong_node_id, "E_NODE_ID_MISMATCH"),
        (wrong_crc, "E_CHECKSUM_MISMATCH"),
        (cycle, "E_CYCLE"),
        (unknown_dependency, "E_UNKNOWN_DEPENDENCY"),
        (missing_world, "E_WORLD_IDS_REQUIRED"),
        (nan_parameter, "E_NODE_ID_FIELDS"),
        (huge_integer, "E_NODE_ID_FIELDS"),
        (context_key, "E_NODE_ID_FIELDS"),
        (unknown_enum, "E_ENUM"),
        (eleven_thousand_nodes, "E_TOO_MANY_NODES"),
        (nine_mebibytes, "E_TOO_LARGE"),
        (unknown_hint, "E_ENUM"),
    ],
)
async def test_submission_is_refused_and_leaves_nothing(
    client: GatewayClient, spoil: Callable[[Submit], None], reason: str
) -> None:
    world_id = await new_world(client)
    request = submission(world_id, [source_node()])
    spoil(request)
    with pytest.raises(InvalidRequest) as refused:
        await client.strategies.SubmitStrategy(in_chunks(request))
    assert refused.value.reason == reason
    assert refused.value.violations
    listed = await client.strategies.ListStrategies(strategyservicepb.ListStrategiesRequest(world_id=world_id))
    assert list(listed.strategies) == []


async def test_unknown_world(client: GatewayClient) -> None:
    with pytest.raises(NotFound) as refused:
        await client.strategies.SubmitStrategy(in_chunks(submission("no-such-world", [source_node()])))
    assert refused.value.reason == "E_WORLD_UNKNOWN"


async def test_expired_token(mesh: Mesh) -> None:
    expired = mint_user_token(mesh.home, Role.OPERATOR, "ada", ttl=timedelta(seconds=-60))
    async with open_gateway_client(mesh.address("gateway"), mesh.home, token=expired) as client:
        with pytest.raises(Unauthenticated) as refused:
            await client.status.GetStatus(gatewaystatuspb.GetStatusRequest())
    assert refused.value.reason == "E_TOKEN_EXPIRED"


async def test_token_for_another_world(mesh: Mesh, client: GatewayClient) -> None:
    world_id = await new_world(client)
    narrow = mint_user_token(mesh.home, Role.OPERATOR, "ada", worlds=["elsewhere"])
    async with open_gateway_client(mesh.address("gateway"), mesh.home, token=narrow) as limited:
        with pytest.raises(PermissionDenied) as refused:
            await limited.strategies.SubmitStrategy(in_chunks(submission(world_id, [source_node()])))
        with pytest.raises(PermissionDenied) as proxied:
            await limited.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id=world_id))
    assert refused.value.reason == proxied.value.reason == "E_WORLD_FORBIDDEN"


async def test_reader_may_not_submit(mesh: Mesh, client: GatewayClient) -> None:
    world_id = await new_world(client)
    async with open_gateway_client(mesh.address("gateway"), mesh.home, role=Role.READER) as reader:
        with pytest.raises(PermissionDenied) as refused:
            await reader.strategies.SubmitStrategy(in_chunks(submission(world_id, [source_node()])))
    assert refused.value.reason == "E_ROLE_REQUIRED"


@pytest.mark.parametrize(
    "document",
    ["selection: {gates: {and: ['sharpe >= ']}}", "colour: blue", "selection: {score: 'no_such_metric'}", "[", "- 1"],
)
async def test_malformed_policy(client: GatewayClient, document: str) -> None:
    world_id = await new_world(client)
    with pytest.raises(InvalidRequest) as refused:
        await client.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id=world_id, document=document))
    assert refused.value.reason.startswith("E_POLICY")
    assert refused.value.violations


@pytest.mark.parametrize("dataset", ["no.such.preset", "ohlcv:nowhere:BTC-USD:15m", "ohlcv.binance.spot.1m"])
async def test_unavailable_dataset_is_refused_fast(client: GatewayClient, dataset: str) -> None:
    with pytest.raises((NotFound, NotReady)) as refused:
        async for _ in client.data.Fetch(dataservicepb.FetchRequest(dataset=dataset), timeout=5):
            pass
    assert refused.value.reason in ("E_DATASET_UNKNOWN", "E_DATASET_UNAVAILABLE")


async def test_every_error_is_of_the_tree_and_says_its_reason(client: GatewayClient) -> None:
    with pytest.raises(QmtlError) as refused:
        await client.strategies.GetStrategy(strategyservicepb.GetStrategyRequest(strategy_id="s-none"))
    assert not isinstance(refused.value, Unavailable | DeadlineExceeded | Exhausted)
    assert refused.value.reason == "E_STRATEGY_UNKNOWN"
