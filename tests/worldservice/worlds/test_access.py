"""Roles, bindings on behalf of others, and an audit log that has refusals too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import TypeAlias

import pytest
from sqlalchemy import Connection

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_pb2 as auditpb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import WorldHarness, evaluation, make_world, raising
from tests.worldservice.samples import DOCUMENT
from worldservice.bindings.service import BINDINGS_MAX
from worldservice.worlds.domain.binding import Binding, BindingState, Side, Stage
from worldservice.worlds.domain.roles import Caller, Grant, require_account_role
from worldservice.worlds.service.access import GRANTS_MAX
from worldservice.worlds.store import bindings, roles

OWNER, OPERATOR, READER = commonpb.ROLE_OWNER, commonpb.ROLE_OPERATOR, commonpb.ROLE_READER


async def grant(harness: WorldHarness, subject: str, role: commonpb.Role, world_id: str = "w1") -> None:
    ann = await harness.stub()
    await ann.access.Grant(accessservicepb.GrantRequest(world_id=world_id, subject=subject, role=role))


async def test_the_creator_is_owner_even_with_a_lesser_token(harness: WorldHarness) -> None:
    opal = await harness.stub(Role.OPERATOR, "opal")
    await opal.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w1"))
    role = await opal.access.GetEffectiveRole(accessservicepb.GetEffectiveRoleRequest(world_id="w1"))
    assert (role.role, role.subject) == (OWNER, "opal")
    await opal.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT))


async def test_a_grant_gives_and_a_revoke_takes(harness: WorldHarness) -> None:
    await make_world(harness, "w1")
    eve = await harness.stub(Role.NONE, "eve")
    with pytest.raises(PermissionDenied):
        await eve.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1"))
    await grant(harness, "eve", READER)
    await eve.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1"))
    with pytest.raises(PermissionDenied):
        await eve.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await grant(harness, "eve", OPERATOR)
    await eve.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    with pytest.raises(PermissionDenied):
        await eve.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT))
    ann = await harness.stub()
    listed = (await ann.access.ListGrants(accessservicepb.ListGrantsRequest(world_id="w1"))).grants
    assert {g.subject: g.role for g in listed} == {"ann": OWNER, "eve": OPERATOR}
    await ann.access.Revoke(accessservicepb.RevokeRequest(world_id="w1", subject="eve"))
    with pytest.raises(PermissionDenied):
        await eve.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1"))


async def test_a_world_keeps_an_owner(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    with pytest.raises(NotReady) as caught:
        await ann.access.Revoke(accessservicepb.RevokeRequest(world_id="w1", subject="ann"))
    assert caught.value.reason == "E_LAST_OWNER"
    with pytest.raises(NotReady):
        await grant(harness, "ann", READER)
    with pytest.raises(NotFound):
        await ann.access.Revoke(accessservicepb.RevokeRequest(world_id="w1", subject="nobody"))
    with pytest.raises(InvalidRequest):
        await grant(harness, "bob", commonpb.ROLE_UNSPECIFIED)


async def test_a_token_for_another_world_is_refused_whatever_its_role(harness: WorldHarness) -> None:
    await make_world(harness, "w1")
    elsewhere = await harness.stub(worlds=["w2"])
    for call in (
        elsewhere.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1")),
        elsewhere.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1")),
        elsewhere.activation.SetActivation(raising("w1", "s")),
        elsewhere.access.GetEffectiveRole(accessservicepb.GetEffectiveRoleRequest(world_id="w1")),
        elsewhere.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w3")),
    ):
        with pytest.raises(PermissionDenied) as caught:
            await call
        assert caught.value.reason == "E_WORLD_FORBIDDEN"


Ask: TypeAlias = "Callable[[WorldStubs, WorldHarness], Awaitable[object]]"
ASKS: tuple[tuple[Role, Ask], ...] = (
    (Role.READER, lambda c, e: c.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w1"))),
    (Role.READER, lambda c, e: c.policies.GetPolicy(policyservicepb.GetPolicyRequest(world_id="w1"))),
    (Role.READER, lambda c, e: c.policies.ListPolicies(policyservicepb.ListPoliciesRequest(world_id="w1"))),
    (Role.READER, lambda c, e: c.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id="w1"))),
    (Role.READER, lambda c, e: c.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))),
    (
        Role.READER,
        lambda c, e: c.evaluation.ListEvaluationRuns(evaluationservicepb.ListEvaluationRunsRequest(world_id="w1")),
    ),
    (Role.READER, lambda c, e: c.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))),
    (Role.READER, lambda c, e: c.activation.GetStateHash(activationservicepb.GetStateHashRequest(world_id="w1"))),
    (Role.READER, lambda c, e: c.access.ListGrants(accessservicepb.ListGrantsRequest(world_id="w1"))),
    (Role.READER, lambda c, e: c.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))),
    (
        Role.OPERATOR,
        lambda c, e: c.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s")),
    ),
    (Role.OPERATOR, lambda c, e: c.evaluation.Evaluate(evaluation(e, "w1", "s"))),
    (Role.OPERATOR, lambda c, e: c.activation.SetActivation(raising("w1", "s"))),
    (
        Role.OPERATOR,
        lambda c, e: c.bindings.UnbindStrategy(bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="s")),
    ),
    (
        Role.OWNER,
        lambda c, e: c.worlds.UpdateWorld(
            worldservicepb.UpdateWorldRequest(world_id="w1", name="renamed", update_mask={"paths": ["name"]})
        ),
    ),
    (Role.OWNER, lambda c, e: c.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT))),
    (
        Role.OWNER,
        lambda c, e: c.policies.SetDefaultPolicy(policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=1)),
    ),
    (Role.OWNER, lambda c, e: c.access.Grant(accessservicepb.GrantRequest(world_id="w1", subject="x", role=READER))),
    (Role.OWNER, lambda c, e: c.access.Revoke(accessservicepb.RevokeRequest(world_id="w1", subject="x"))),
    (Role.OWNER, lambda c, e: c.worlds.DeleteWorld(worldservicepb.DeleteWorldRequest(world_id="w1"))),
)


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_do_its_own_and_what_is_below(harness: WorldHarness, role: Role) -> None:
    await make_world(harness, "w1")
    caller = await harness.stub(role, "someone")
    for want, ask in ASKS:
        if role >= want:
            await ask(caller, harness)
        else:
            with pytest.raises(PermissionDenied):
                await ask(caller, harness)


async def test_queued_work_records_the_user_it_was_accepted_for(harness: WorldHarness) -> None:
    await make_world(harness, "w1")
    gateway = await harness.gateway()
    request = bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s", on_behalf_of="bob")
    bound = (await gateway.bindings.BindStrategy(request)).binding
    assert (bound.created_by, bound.stage) == ("bob", bindingpb.STAGE_BACKTEST)
    ann = await harness.stub()
    assert (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries[0].actor == "bob"
    with pytest.raises(PermissionDenied) as caught:
        await ann.bindings.BindStrategy(
            bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="t", on_behalf_of="bob")
        )
    assert caught.value.reason == "E_ON_BEHALF_OF"


async def test_binding_twice_changes_nothing(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    first = (
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    ).binding
    again = (
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    ).binding
    assert again == first
    assert len((await ann.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id="w1"))).bindings) == 1


async def test_each_binding_is_answered_with_what_decide_would_say(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    for name in ("first", "second", "third"):
        told = (
            await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
        ).decision
        asked = (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision
        assert (told.etag, told.reasons, told.effective_mode) == (asked.etag, asked.reasons, asked.effective_mode)
        assert harness.clock.now() - told.decided_at.ToDatetime(UTC) <= timedelta(seconds=1)


async def test_binding_anew_what_was_evaluated_decides_anew(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    for name in ("a", "b"):
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "a", "r1"))
    await ann.bindings.UnbindStrategy(bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="a"))
    assert not (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision.selected
    again = await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="a"))
    assert list(again.decision.selected) == ["a"]


async def test_binding_again_without_a_word_keeps_sides(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    bind = bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s", sides=["SIDE_LONG"])
    first = (await ann.bindings.BindStrategy(bind)).binding
    assert (
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    ).binding == first
    late = bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s", sides=["SIDE_SHORT"])
    assert list((await ann.bindings.BindStrategy(late)).binding.sides) == [commonpb.SIDE_SHORT]


async def test_nothing_is_bound_to_a_suspended_world(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", state=worldpb.WORLD_STATE_SUSPENDED, update_mask={"paths": ["state"]}
        )
    )
    with pytest.raises(NotReady) as caught:
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    assert caught.value.reason == "E_WORLD_SUSPENDED"


async def test_refusals_are_audited_like_writes(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    rob = await harness.stub(Role.READER, "rob")
    with pytest.raises(PermissionDenied):
        await rob.activation.SetActivation(raising("w1", "s"))
    with pytest.raises(InvalidRequest):
        await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document="x: 1"))
    entries = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
    shown = [(entry.actor, entry.event, auditpb.AuditResult.Name(entry.result)) for entry in entries]
    assert shown == [
        ("ann", "PutPolicy", "AUDIT_RESULT_REFUSED"),
        ("rob", "SetActivation", "AUDIT_RESULT_REFUSED"),
        ("ann", "PutPolicy", "AUDIT_RESULT_OK"),
        ("ann", "CreateWorld", "AUDIT_RESULT_OK"),
    ]
    assert entries[1].message.startswith("E_ROLE_REQUIRED")
    assert '"strategy_id":"s"' in entries[1].request.replace(" ", "")
    first = await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1", page={"page_size": 3}))
    rest = await ann.audit.ListAudit(
        auditservicepb.ListAuditRequest(world_id="w1", page={"page_size": 3, "page_token": first.page.next_page_token})
    )
    assert [e.audit_number for e in (*first.entries, *rest.entries)] == [e.audit_number for e in entries]


async def test_an_account_has_grants_of_its_own(harness: WorldHarness) -> None:
    """Its first owner is named by an owner of the mesh; worlds and accounts of one name are strangers."""
    await make_world(harness, "w1")
    ann, opal = await harness.stub(Role.OWNER, "ann"), await harness.stub(Role.NONE, "opal")
    asked = accessservicepb.GetEffectiveRoleRequest(account="w1")
    assert (await opal.access.GetEffectiveRole(asked)).role == commonpb.ROLE_UNSPECIFIED
    made = await ann.access.Grant(accessservicepb.GrantRequest(account="w1", subject="opal", role=OWNER))
    assert (made.grant.account, made.grant.world_id) == ("w1", "")
    assert (await opal.access.GetEffectiveRole(asked)).role == OWNER
    await opal.access.Grant(accessservicepb.GrantRequest(account="w1", subject="rita", role=READER))
    listed = await opal.access.ListGrants(accessservicepb.ListGrantsRequest(account="w1"))
    assert [(one.subject, one.role) for one in listed.grants] == [("opal", OWNER), ("rita", READER)]
    with pytest.raises(PermissionDenied, match="E_ROLE_REQUIRED"):
        await opal.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT))
    rita = await harness.stub(Role.NONE, "rita")
    with pytest.raises(PermissionDenied, match="E_ROLE_REQUIRED"):
        await rita.access.Revoke(accessservicepb.RevokeRequest(account="w1", subject="opal"))
    await opal.access.Revoke(accessservicepb.RevokeRequest(account="w1", subject="rita"))
    assert (await rita.access.GetEffectiveRole(asked)).role == commonpb.ROLE_UNSPECIFIED


def test_a_token_for_some_worlds_has_no_role_in_an_account() -> None:
    with pytest.raises(PermissionDenied, match="E_WORLD_FORBIDDEN"):
        require_account_role(Caller("ann", Role.OWNER, frozenset({"w1"})), "acc", Role.NONE, [])


async def test_grants_of_a_scope_are_bounded_and_those_there_are_may_change(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")

    def fill(conn: Connection) -> None:
        for number in range(GRANTS_MAX - 1):
            roles.save_grant(conn, Grant("world:w1", f"s{number}", Role.READER, "ann", harness.clock.now()))

    await harness.fill(fill)
    with pytest.raises(Exhausted, match="E_TOO_MANY_GRANTS"):
        await grant(harness, "eve", READER)
    await grant(harness, "s0", OPERATOR)
    await ann.access.Revoke(accessservicepb.RevokeRequest(world_id="w1", subject="s1"))
    await grant(harness, "eve", READER)


async def test_strategies_of_a_world_are_bounded(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    sides = frozenset({Side.LONG})

    def fill(conn: Connection) -> None:
        for number in range(BINDINGS_MAX):
            one = Binding("w1", f"s{number}", Stage.BACKTEST, BindingState.ACTIVE, sides, "ann", harness.clock.now())
            bindings.save_binding(conn, one)

    await harness.fill(fill)
    with pytest.raises(Exhausted, match="E_TOO_MANY_BINDINGS"):
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="one-more"))
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s0"))


async def test_what_was_never_approved_cannot_be_revoked(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    with pytest.raises(NotFound, match="E_APPROVAL_UNKNOWN"):
        await ann.bindings.RevokeLive(bindingservicepb.RevokeLiveRequest(world_id="w1", strategy_id="s"))
