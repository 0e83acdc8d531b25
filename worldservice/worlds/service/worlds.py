"""RPCs of worlds, their policies and the catalogue they read."""

import asyncio
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from qmtl.core.errors import AlreadyExists, NotReady, PermissionDenied
from qmtl.rpc.auth.call import current_call
from qmtl.world.v1 import service_pb2 as pb
from worldservice.activation.domain.activation import TRADING
from worldservice.activation.narrowing import narrow
from worldservice.activation.recording import Narrowed
from worldservice.activation.store import activations
from worldservice.policy import store as policy_store
from worldservice.policy.domain.metric_catalogue import CATALOGUE
from worldservice.policy.domain.policy import Policy
from worldservice.policy.domain.presets import PRESETS
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.policy.events import policy_updated
from worldservice.policy.store import compiled
from worldservice.policy.wire import metric_to_proto, policy_to_proto, preset_to_proto
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, audited, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.roles import Caller, Grant, Role
from worldservice.worlds.domain.world import World, WorldState, change_world, new_world, require_etag, same_request
from worldservice.worlds.fields import page_from_proto, page_of
from worldservice.worlds.store import roles, worlds
from worldservice.worlds.wire import change_from_proto, world_to_proto
from worldservice.worlds.writes import House


class WorldCalls:
    """Worlds and policies. Every write is one transaction that ends in a settled activation and an audit row."""

    house: House

    @audited
    async def CreateWorld(self, request: pb.CreateWorldRequest, act: Act) -> pb.CreateWorldResponse:
        wanted = new_world(
            request.world_id,
            act.actor,
            act.now,
            name=request.name,
            labels=dict(request.labels),
            data_presets=tuple(request.data_presets),
            allow_live=request.allow_live,
        )
        world = await self.house.db.write(lambda conn: _create(conn, act, wanted))
        return pb.CreateWorldResponse(world=world_to_proto(world))

    async def GetWorld(self, request: pb.GetWorldRequest, context: object) -> pb.GetWorldResponse:
        caller = caller_of(current_call())
        world = await self.house.db.read(lambda conn: world_to_read(conn, caller, request.world_id))
        return pb.GetWorldResponse(world=world_to_proto(world))

    async def ListWorlds(self, request: pb.ListWorldsRequest, context: object) -> pb.ListWorldsResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page)
        rows = await self.house.db.read(lambda conn: worlds.list_worlds(conn, page, _visible(conn, caller)))
        shown, info = page_of(rows, page, lambda world: world.world_id)
        return pb.ListWorldsResponse(worlds=[world_to_proto(world) for world in shown], page=info)

    @audited
    async def UpdateWorld(self, request: pb.UpdateWorldRequest, act: Act) -> pb.UpdateWorldResponse:
        change = change_from_proto(request)

        def work(conn: Connection) -> tuple[World, Narrowed]:
            changed = change_world(world_to_write(conn, act, Role.OWNER), change, act.now)
            return changed, self._save(conn, act, changed)

        world, settled = await self.house.db.write(work)
        await self.house.enforce(settled)
        return pb.UpdateWorldResponse(world=world_to_proto(world))

    @audited
    async def DeleteWorld(self, request: pb.DeleteWorldRequest, act: Act) -> pb.DeleteWorldResponse:
        def work(conn: Connection) -> Narrowed | None:
            world = world_to_write(conn, act, Role.OWNER)
            if world.state is WorldState.DELETED:
                return None
            require_etag(request.etag, world.etag, f"world {world.world_id}")
            _require_idle(conn, world)
            gone = replace(world, state=WorldState.DELETED, updated_at=act.now, revision=world.revision + 1)
            return self._save(conn, act, gone)

        settled = await self.house.db.write(work)
        if settled is not None:
            await self.house.enforce(settled)
        return pb.DeleteWorldResponse()

    @audited
    async def PutPolicy(self, request: pb.PutPolicyRequest, act: Act) -> pb.PutPolicyResponse:
        policy = await asyncio.to_thread(compiled, request.document)

        def work(conn: Connection) -> tuple[PolicyRecord, Narrowed | None]:
            world = _alive(world_to_write(conn, act, Role.OWNER))
            record = _store_policy(conn, act, world, request.document, policy)
            if not request.make_default or world.default_policy_version == record.version:
                audit_write(conn, act, f"policy version {record.version}")
                return record, None
            return self._make_default(conn, act, world, record.version)

        record, settled = await self.house.db.write(work)
        if settled is not None:
            await self.house.enforce(settled)
        return pb.PutPolicyResponse(policy=policy_to_proto(record))

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: object) -> pb.GetPolicyResponse:
        caller = caller_of(current_call())

        def work(conn: Connection) -> PolicyRecord:
            world = world_to_read(conn, caller, request.world_id)
            return policy_store.get_policy(conn, world.world_id, request.version or world.default_policy_version)

        return pb.GetPolicyResponse(policy=policy_to_proto(await self.house.db.read(work)))

    async def ListPolicies(self, request: pb.ListPoliciesRequest, context: object) -> pb.ListPoliciesResponse:
        caller, page = caller_of(current_call()), page_from_proto(request.page, numeric=True)

        def work(conn: Connection) -> list[PolicyRecord]:
            return policy_store.list_policies(conn, world_to_read(conn, caller, request.world_id).world_id, page)

        shown, info = page_of(await self.house.db.read(work), page, lambda record: str(record.version))
        return pb.ListPoliciesResponse(policies=[policy_to_proto(record) for record in shown], page=info)

    @audited
    async def SetDefaultPolicy(self, request: pb.SetDefaultPolicyRequest, act: Act) -> pb.SetDefaultPolicyResponse:
        def work(conn: Connection) -> tuple[World, Narrowed | None]:
            world = _alive(world_to_write(conn, act, Role.OWNER))
            record = policy_store.get_policy(conn, world.world_id, request.version)
            if world.default_policy_version == record.version:
                audit_write(conn, act, "unchanged")
                return world, None
            _, settled = self._make_default(conn, act, world, record.version)
            return worlds.get_world(conn, world.world_id), settled

        world, settled = await self.house.db.write(work)
        if settled is not None:
            await self.house.enforce(settled)
        return pb.SetDefaultPolicyResponse(world=world_to_proto(world))

    async def ListMetrics(self, request: pb.ListMetricsRequest, context: object) -> pb.ListMetricsResponse:
        return pb.ListMetricsResponse(metrics=[metric_to_proto(metric) for metric in CATALOGUE.values()])

    async def ListPolicyPresets(
        self, request: pb.ListPolicyPresetsRequest, context: object
    ) -> pb.ListPolicyPresetsResponse:
        return pb.ListPolicyPresetsResponse(presets=[preset_to_proto(preset) for preset in PRESETS.values()])

    def _save(self, conn: Connection, act: Act, world: World) -> Narrowed:
        """Store a changed world, settle what follows from it, audit."""
        worlds.update_world(conn, world)
        settled = narrow(conn, world, self.house.rules, act)
        audit_write(conn, act, f"world etag {world.etag}")
        return settled

    def _make_default(self, conn: Connection, act: Act, world: World, version: int) -> tuple[PolicyRecord, Narrowed]:
        policy_store.activate_policy(conn, world.world_id, version, act.now)
        record = policy_store.get_policy(conn, world.world_id, version)
        outbox.append(conn, policy_updated(record, act))
        changed = replace(world, default_policy_version=version, updated_at=act.now, revision=world.revision + 1)
        return record, self._save(conn, act, changed)


def _create(conn: Connection, act: Act, wanted: World) -> World:
    if not act.caller.own_act and act.caller.token_role < Role.OPERATOR:
        raise PermissionDenied(
            "E_ROLE_REQUIRED", f"{act.actor} is {act.caller.token_role.name.lower()}, want operator to create a world"
        )
    if act.caller.worlds is not None and wanted.world_id not in act.caller.worlds:
        raise PermissionDenied("E_WORLD_FORBIDDEN", f"the token of {act.actor} is not for world {wanted.world_id!r}")
    found = worlds.find_world(conn, wanted.world_id)
    if found is not None:
        if found.state is not WorldState.DELETED and same_request(found, wanted):
            return found
        raise AlreadyExists(
            "E_WORLD_EXISTS", f"world {wanted.world_id} exists with other content", hint="choose another id"
        )
    worlds.insert_world(conn, wanted)
    roles.save_grant(conn, Grant(wanted.world_id, act.actor, Role.OWNER, act.actor, act.now))
    audit_write(conn, act, "created")
    return wanted


def _visible(conn: Connection, caller: Caller) -> frozenset[str] | None:
    """The worlds a caller has a role in; None: all."""
    if caller.own_act or caller.token_role >= Role.READER:
        return caller.worlds
    granted = roles.worlds_granted(conn, caller.subject)
    return granted if caller.worlds is None else granted & caller.worlds


def _require_idle(conn: Connection, world: World) -> None:
    entries = activations.load_activation(conn, world.world_id, world.created_at).entries
    if any(entry.active and not entry.freeze and entry.effective_mode in TRADING for entry in entries):
        raise NotReady(
            "E_WORLD_ACTIVE", f"something in world {world.world_id} may trade", hint="deactivate it, then delete"
        )


def _alive(world: World) -> World:
    if world.state is WorldState.DELETED:
        raise NotReady("E_WORLD_DELETED", f"world {world.world_id} is deleted", hint="create another world")
    return world


def _store_policy(conn: Connection, act: Act, world: World, document: str, policy: Policy) -> PolicyRecord:
    """A new version; the same content again is the version it has."""
    found = policy_store.find_policy_by_checksum(conn, world.world_id, policy.checksum)
    if found is not None:
        return found
    record = _draft(world, policy_store.next_policy_version(conn, world.world_id), document, policy, act.actor, act.now)
    policy_store.insert_policy(conn, record)
    return record


def _draft(world: World, version: int, document: str, policy: Policy, actor: str, now: datetime) -> PolicyRecord:
    return PolicyRecord(
        world.world_id, version, document, policy.checksum, PolicyStatus.DRAFT, actor, now, valid_from=None
    )
