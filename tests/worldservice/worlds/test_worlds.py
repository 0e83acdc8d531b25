"""Worlds and policies over the wire: idempotency, etags, versions, refusals that name their path."""

from __future__ import annotations

import pytest

from qmtl.core.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import policy_pb2 as policypb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.worldservice.harness import WorldHarness, make_trading, make_world
from tests.worldservice.samples import CLAIMS, DOCUMENT


async def test_creating_a_world_twice_answers_the_same_world(harness: WorldHarness) -> None:
    ann = await harness.stub()
    request = worldservicepb.CreateWorldRequest(world_id="w1", labels={"team": "a"}, data_presets=["demo.btc.15m"])
    first = (await ann.worlds.CreateWorld(request)).world
    assert (await ann.worlds.CreateWorld(request)).world == first
    assert (first.owner, first.state, first.allow_live) == ("ann", worldpb.WORLD_STATE_ACTIVE, False)
    with pytest.raises(AlreadyExists) as caught:
        await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w1", name="other"))
    assert caught.value.reason == "E_WORLD_EXISTS"


@pytest.mark.parametrize("world_id", ["", "Upper", "-dash", "a" * 64, "a b", "ä"])
async def test_a_bad_world_id_is_refused(harness: WorldHarness, world_id: str) -> None:
    ann = await harness.stub()
    with pytest.raises(InvalidRequest) as caught:
        await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=world_id))
    assert caught.value.reason == "E_WORLD_ID"
    with pytest.raises(NotFound):
        await ann.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id=world_id))


@pytest.mark.parametrize(("preset", "reason"), [("nope", "E_PRESET_UNKNOWN"), ("demo.gone", "E_DATASET_UNAVAILABLE")])
async def test_a_preset_that_nobody_serves_is_refused_by_name(harness: WorldHarness, preset: str, reason: str) -> None:
    ann = await make_world(harness, "w1")
    presets = ["demo.btc.15m", preset]
    for call in (
        ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w2", data_presets=presets)),
        ann.worlds.UpdateWorld(
            worldservicepb.UpdateWorldRequest(
                world_id="w1", data_presets=presets, update_mask={"paths": ["data_presets"]}
            )
        ),
    ):
        with pytest.raises((NotFound, NotReady), match=preset) as caught:
            await call
        assert caught.value.reason == reason
    with pytest.raises(NotFound):
        await ann.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w2"))


async def test_an_update_needs_the_etag_that_was_read(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    world = (await ann.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1"))).world
    changed = await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", etag=world.etag, circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert changed.world.circuit_breaker
    assert changed.world.name == "w1"
    with pytest.raises(Conflict) as caught:
        await ann.worlds.UpdateWorld(
            worldservicepb.UpdateWorldRequest(
                world_id="w1", etag=world.etag, allow_live=True, update_mask={"paths": ["allow_live"]}
            )
        )
    assert caught.value.reason == "E_ETAG_MISMATCH"


async def test_listing_pages_through_what_the_caller_may_see(harness: WorldHarness) -> None:
    ann = await harness.stub()
    for name in ("a", "b", "c"):
        await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=name))
    first = await ann.worlds.ListWorlds(worldservicepb.ListWorldsRequest(page={"page_size": 2}))
    rest = await ann.worlds.ListWorlds(
        worldservicepb.ListWorldsRequest(page={"page_size": 2, "page_token": first.page.next_page_token})
    )
    assert [w.world_id for w in first.worlds] + [w.world_id for w in rest.worlds] == ["a", "b", "c"]
    assert not rest.page.next_page_token
    limited = await harness.stub(worlds=["b"])
    assert [w.world_id for w in (await limited.worlds.ListWorlds(worldservicepb.ListWorldsRequest())).worlds] == ["b"]
    nobody = await harness.stub(Role.NONE, "eve")
    assert not (await nobody.worlds.ListWorlds(worldservicepb.ListWorldsRequest())).worlds
    with pytest.raises(InvalidRequest):
        await ann.worlds.ListWorlds(worldservicepb.ListWorldsRequest(page={"page_token": "%%%"}))


async def test_policies_are_versions_and_the_default_can_be_rolled_back(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    second = await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS.replace("0.6", "0.9"))
    )
    assert (second.policy.version, second.policy.status) == (2, policypb.POLICY_STATUS_DRAFT)
    again = await ann.policies.PutPolicy(
        policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS + "# a comment\n")
    )
    assert again.policy.version == 1
    default = await ann.policies.SetDefaultPolicy(policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=2))
    assert default.world.default_policy_version == 2
    listed = (await ann.policies.ListPolicies(policyservicepb.ListPoliciesRequest(world_id="w1"))).policies
    assert [(p.version, policypb.PolicyStatus.Name(p.status)) for p in listed] == [
        (2, "POLICY_STATUS_ACTIVE"),
        (1, "POLICY_STATUS_DEPRECATED"),
    ]
    back = await ann.policies.SetDefaultPolicy(policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=1))
    assert back.world.default_policy_version == 1
    assert (await ann.policies.GetPolicy(policyservicepb.GetPolicyRequest(world_id="w1"))).policy.document == CLAIMS
    with pytest.raises(NotFound) as caught:
        await ann.policies.SetDefaultPolicy(policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=7))
    assert caught.value.reason == "E_POLICY_UNKNOWN"


@pytest.mark.parametrize(
    ("document", "reason", "path"),
    [
        ("gates: [", "E_POLICY_SYNTAX", "document"),
        (DOCUMENT + "colour: red\n", "E_POLICY_KEY_UNKNOWN", "colour"),
        (DOCUMENT.replace("sharpe >= 0.6", "sharp >= 0.6"), "E_POLICY_METRIC_UNKNOWN", "selection.gates.and[1]"),
        (DOCUMENT.replace("5m", "5 min"), "E_POLICY_UNIT", "data_currency.max_lag"),
        (
            DOCUMENT + "position_policy: {on_promote: wait}\n",
            "E_POLICY_VALUE",
            "position_policy.on_promote",
        ),
    ],
)
async def test_a_malformed_policy_is_refused_with_its_path(
    harness: WorldHarness, document: str, reason: str, path: str
) -> None:
    ann = await harness.stub()
    await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w1"))
    with pytest.raises(InvalidRequest) as caught:
        await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=document))
    assert (caught.value.reason, caught.value.violations[0].field) == (reason, path)
    assert not (await ann.policies.ListPolicies(policyservicepb.ListPoliciesRequest(world_id="w1"))).policies


async def test_the_catalogue_and_the_presets_are_public(harness: WorldHarness) -> None:
    ann = await harness.stub()
    metrics = {m.name: m for m in (await ann.policies.ListMetrics(policyservicepb.ListMetricsRequest())).metrics}
    assert metrics["n_trades"].type == policypb.METRIC_TYPE_INT
    assert metrics["sharpe"].direction == policypb.METRIC_DIRECTION_HIGHER_IS_BETTER
    presets = (await ann.policies.ListPolicyPresets(policyservicepb.ListPolicyPresetsRequest())).presets
    assert {preset.name for preset in presets} == {"sandbox", "conservative", "moderate", "aggressive"}
    await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w1"))
    for number, preset in enumerate(presets, start=1):
        put = await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=preset.document))
        assert put.policy.version == number


async def test_a_world_that_trades_is_not_deleted(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    with pytest.raises(NotReady) as caught:
        await ann.worlds.DeleteWorld(worldservicepb.DeleteWorldRequest(world_id="w1"))
    assert caught.value.reason == "E_WORLD_ACTIVE"
    off = activationpb.ActivationChange(strategy_id="s", side="SIDE_LONG", active=False)
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[off]))
    for _ in range(2):
        await ann.worlds.DeleteWorld(worldservicepb.DeleteWorldRequest(world_id="w1"))
    assert (
        await ann.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1"))
    ).world.state == worldpb.WORLD_STATE_DELETED
    with pytest.raises(NotReady):
        await ann.policies.PutPolicy(
            policyservicepb.PutPolicyRequest(world_id="w1", document=CLAIMS.replace("0.6", "0.1"))
        )


async def test_a_reader_may_not_create_a_world(harness: WorldHarness) -> None:
    reader = await harness.stub(Role.READER, "rob")
    with pytest.raises(PermissionDenied):
        await reader.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w1"))


async def test_status_counts_worlds_and_tells_of_the_bus(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    status = await ann.status.GetStatus(statusservicepb.GetStatusRequest())
    assert status.worlds == 1
    assert status.status.service == "worldservice"
    assert status.status.dependencies[0].name == "nats"
