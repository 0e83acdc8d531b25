"""RPCs of policy versions, the metric catalogue and the presets."""

import asyncio
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import policy_service_pb2_grpc as policyrpc
from worldservice.policy import store
from worldservice.policy.domain.metric_catalogue import CATALOGUE
from worldservice.policy.domain.policy import Policy
from worldservice.policy.domain.presets import PRESETS
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.policy.events import policy_updated
from worldservice.policy.store import compiled
from worldservice.policy.wire import metric_to_proto, policy_to_proto, preset_to_proto
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.domain.world import Effect, World, WorldState
from worldservice.worlds.store import worlds
from worldservice.worlds.store.approvals import approvals_of
from worldservice.worlds.store.bindings import active_bindings
from worldservice.worlds.wire import world_to_proto
from worldservice.worlds.writes import AuditedServicer, audited


class PolicyServicer(AuditedServicer, policyrpc.PolicyServiceServicer):
    """A version never changes; which one is the default is the world's, and narrows it at once."""

    @audited
    async def PutPolicy(self, request: policyservicepb.PutPolicyRequest, act: Act) -> policyservicepb.PutPolicyResponse:
        policy = await asyncio.to_thread(compiled, request.document)

        def work(conn: Connection) -> tuple[PolicyRecord, Effect | None, list[str]]:
            world = _alive(world_to_write(conn, act, Role.OWNER))
            record = _store_policy(conn, act, world, request.document, policy, dry_run=request.dry_run)
            ended = _ended_approvals(conn, act, world, record.version) if request.make_default else []
            if request.dry_run:
                audit_write(conn, act, f"policy version {record.version}, dry run")
                return record, None, ended
            if not request.make_default or world.default_policy_version == record.version:
                audit_write(conn, act, f"policy version {record.version}")
                return record, None, ended
            return *self._make_default(conn, act, world, record.version), ended

        record, effect, ended = await self.writes.db.write(work)
        await self.writes.enforce(record.world_id, effect)
        return policyservicepb.PutPolicyResponse(policy=policy_to_proto(record), ended_approvals=ended)

    async def GetPolicy(
        self, request: policyservicepb.GetPolicyRequest, context: object
    ) -> policyservicepb.GetPolicyResponse:
        caller = caller_of(current_call())

        def work(conn: Connection) -> PolicyRecord:
            world = world_to_read(conn, caller, request.world_id)
            return store.get_policy(conn, world.world_id, request.version or world.default_policy_version)

        return policyservicepb.GetPolicyResponse(policy=policy_to_proto(await self.writes.db.read(work)))

    async def ListPolicies(
        self, request: policyservicepb.ListPoliciesRequest, context: object
    ) -> policyservicepb.ListPoliciesResponse:
        caller, page = caller_of(current_call()), page_from_proto(request, (int,))

        def work(conn: Connection) -> list[PolicyRecord]:
            return store.list_policies(conn, world_to_read(conn, caller, request.world_id).world_id, page)

        found = await self.writes.db.read(work)
        policies, info = page_of(found, page, lambda record: (record.version,), policy_to_proto)
        return policyservicepb.ListPoliciesResponse(policies=policies, page=info)

    @audited
    async def SetDefaultPolicy(
        self, request: policyservicepb.SetDefaultPolicyRequest, act: Act
    ) -> policyservicepb.SetDefaultPolicyResponse:
        def work(conn: Connection) -> tuple[World, Effect | None, list[str]]:
            world = _alive(world_to_write(conn, act, Role.OWNER))
            record = store.get_policy(conn, world.world_id, request.version)
            if world.default_policy_version == record.version:
                audit_write(conn, act, "unchanged")
                return world, None, []
            ended = _ended_approvals(conn, act, world, record.version)
            _, effect = self._make_default(conn, act, world, record.version)
            return worlds.get_world(conn, world.world_id), effect, ended

        world, effect, ended = await self.writes.db.write(work)
        await self.writes.enforce(world.world_id, effect)
        return policyservicepb.SetDefaultPolicyResponse(world=world_to_proto(world), ended_approvals=ended)

    async def ListMetrics(
        self, request: policyservicepb.ListMetricsRequest, context: object
    ) -> policyservicepb.ListMetricsResponse:
        return policyservicepb.ListMetricsResponse(metrics=[metric_to_proto(metric) for metric in CATALOGUE.values()])

    async def ListPolicyPresets(
        self, request: policyservicepb.ListPolicyPresetsRequest, context: object
    ) -> policyservicepb.ListPolicyPresetsResponse:
        return policyservicepb.ListPolicyPresetsResponse(
            presets=[preset_to_proto(preset) for preset in PRESETS.values()]
        )

    def _make_default(self, conn: Connection, act: Act, world: World, version: int) -> tuple[PolicyRecord, Effect]:
        store.activate_policy(conn, world.world_id, version, act.now)
        record = store.get_policy(conn, world.world_id, version)
        outbox.append(conn, policy_updated(record, act))
        changed = replace(world, default_policy_version=version, updated_at=act.now, revision=world.revision + 1)
        return record, self.writes.save_world(conn, act, changed)


def _alive(world: World) -> World:
    if world.state is WorldState.DELETED:
        raise NotReady("E_WORLD_DELETED", f"world {world.world_id} is deleted", hint="create another world")
    return world


def _ended_approvals(conn: Connection, act: Act, world: World, version: int) -> list[str]:
    """Who trades live by an approval that ends when another version is the default."""
    bound = active_bindings(conn, world.world_id)
    return sorted(
        name
        for name, approval in approvals_of(conn, world.world_id).items()
        if approval.holds(act.now, world.default_policy_version)
        and not approval.holds(act.now, version)
        and name in bound
        and bound[name].stage is Stage.LIVE
    )


def _store_policy(
    conn: Connection, act: Act, world: World, document: str, policy: Policy, *, dry_run: bool
) -> PolicyRecord:
    """A new version, stored unless `dry_run`; the same content again is the version it has."""
    found = store.find_policy_by_checksum(conn, world.world_id, policy.checksum)
    if found is not None:
        return found
    version = store.next_policy_version(conn, world.world_id)
    record = PolicyRecord(
        world.world_id, version, document, policy.checksum, PolicyStatus.DRAFT, act.actor, act.now, valid_from=None
    )
    if not dry_run:
        store.insert_policy(conn, record)
    return record
