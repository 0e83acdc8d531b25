"""Rows of worlds, policies, bindings, grants and the audit log; every function runs inside a transaction of its caller.

A write on a world starts with `lock_world`, so that two replicas cannot decide on the same state at once.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.domain.access import Grant, Role
from worldservice.domain.history import ActivationRecord
from worldservice.domain.records import AuditRow, Page
from worldservice.domain.worlds import (
    WORLD_ID,
    Binding,
    BindingState,
    PolicyRecord,
    PolicyStatus,
    Side,
    Stage,
    World,
    WorldState,
)
from worldservice.tables import (
    audit_log,
    bindings,
    instant,
    instant_or_none,
    micros,
    micros_or_none,
    policies,
    role_grants,
    worlds,
)
from worldservice.wire_history import record_from_proto, record_to_proto

REQUEST_MAX = 16_384
AUDIT_BYTES_MAX = 8 * 1024 * 1024  # half of what a message may have: one row more, and all are written anew
RECORDS_AT_ONCE = 16  # each may hold a whole activation
VERSION_MAX = 2**31 - 1


def find_world(conn: Connection, world_id: str, *, lock: bool = False) -> World | None:
    if WORLD_ID.fullmatch(world_id) is None:
        return None
    row = conn.execute(_LOCK_WORLD if lock else _WORLD, {"id": world_id}).mappings().one_or_none()
    return None if row is None else _world(row)


def get_world(conn: Connection, world_id: str) -> World:
    return _known(find_world(conn, world_id), world_id)


def lock_world(conn: Connection, world_id: str) -> World:
    """The world, with its row held until the transaction ends."""
    return _known(find_world(conn, world_id, lock=True), world_id)


def list_worlds(conn: Connection, page: Page, only: frozenset[str] | None) -> list[World]:
    """Worlds in order of id; `only` limits to some ids, None does not."""
    query = sa.select(worlds).where(worlds.c.world_id > page.after).order_by(worlds.c.world_id).limit(page.size + 1)
    if only is not None:
        query = query.where(worlds.c.world_id.in_(sorted(only)))
    return [_world(row) for row in conn.execute(query).mappings()]


def count_worlds(conn: Connection) -> int:
    alive = worlds.c.state != WorldState.DELETED.value
    return int(conn.execute(sa.select(sa.func.count()).select_from(worlds).where(alive)).scalar_one())


def insert_world(conn: Connection, world: World) -> None:
    conn.execute(sa.insert(worlds).values(world_id=world.world_id, **_world_values(world)))


def update_world(conn: Connection, world: World) -> None:
    conn.execute(sa.update(worlds).where(worlds.c.world_id == world.world_id).values(**_world_values(world)))


def find_policy(conn: Connection, world_id: str, version: int) -> PolicyRecord | None:
    if version > VERSION_MAX:
        return None
    where = (policies.c.world_id == world_id, policies.c.version == version)
    row = conn.execute(sa.select(policies).where(*where)).mappings().one_or_none()
    return None if row is None else _policy(row)


def get_policy(conn: Connection, world_id: str, version: int) -> PolicyRecord:
    found = find_policy(conn, world_id, version)
    if found is None:
        raise NotFound("E_POLICY_UNKNOWN", f"world {world_id} has no policy version {version}")
    return found


def find_policy_by_checksum(conn: Connection, world_id: str, checksum: str) -> PolicyRecord | None:
    where = (policies.c.world_id == world_id, policies.c.checksum == checksum)
    row = conn.execute(sa.select(policies).where(*where)).mappings().one_or_none()
    return None if row is None else _policy(row)


def list_policies(conn: Connection, world_id: str, page: Page) -> list[PolicyRecord]:
    """Newest first; `after` is the last version seen."""
    query = sa.select(policies).where(policies.c.world_id == world_id).order_by(policies.c.version.desc())
    if page.after:
        query = query.where(policies.c.version < min(int(page.after), VERSION_MAX))
    return [_policy(row) for row in conn.execute(query.limit(page.size + 1)).mappings()]


def next_policy_version(conn: Connection, world_id: str) -> int:
    newest = sa.select(sa.func.max(policies.c.version)).where(policies.c.world_id == world_id)
    return int(conn.execute(newest).scalar_one_or_none() or 0) + 1


def insert_policy(conn: Connection, record: PolicyRecord) -> None:
    conn.execute(
        sa.insert(policies).values(
            world_id=record.world_id,
            version=record.version,
            document=record.document,
            checksum=record.checksum,
            status=record.status.value,
            created_by=record.created_by,
            created_us=micros(record.created_at),
            valid_from_us=micros_or_none(record.valid_from),
        )
    )


def activate_policy(conn: Connection, world_id: str, version: int, now: datetime) -> None:
    """Make one version ACTIVE and the one that was DEPRECATED."""
    mine = policies.c.world_id == world_id
    was_active = (mine, policies.c.status == PolicyStatus.ACTIVE.value, policies.c.version != version)
    conn.execute(sa.update(policies).where(*was_active).values(status=PolicyStatus.DEPRECATED.value))
    active = {"status": PolicyStatus.ACTIVE.value, "valid_from_us": micros(now)}
    conn.execute(sa.update(policies).where(mine, policies.c.version == version).values(**active))


def find_binding(conn: Connection, world_id: str, strategy_id: str) -> Binding | None:
    row = conn.execute(_BINDING, {"world": world_id, "strategy": strategy_id}).mappings().one_or_none()
    return None if row is None else _binding(row)


def get_active_binding(conn: Connection, world_id: str, strategy_id: str) -> Binding:
    found = find_binding(conn, world_id, strategy_id)
    if found is None or found.state is not BindingState.ACTIVE:
        raise NotFound("E_BINDING_UNKNOWN", f"{strategy_id} is not bound to world {world_id}", hint="bind it first")
    return found


def active_bindings(conn: Connection, world_id: str) -> Mapping[str, Binding]:
    rows = conn.execute(_ACTIVE_BINDINGS, {"world": world_id}).mappings()
    return {row["strategy_id"]: _binding(row) for row in rows}


def count_active_bindings(conn: Connection, world_id: str) -> int:
    return int(conn.execute(_COUNT_BINDINGS, {"world": world_id}).scalar_one())


def list_bindings(conn: Connection, world_id: str, page: Page) -> list[Binding]:
    where = (bindings.c.world_id == world_id, bindings.c.strategy_id > page.after)
    query = sa.select(bindings).where(*where).order_by(bindings.c.strategy_id).limit(page.size + 1)
    return [_binding(row) for row in conn.execute(query).mappings()]


def save_binding(conn: Connection, binding: Binding) -> None:
    values = {
        "world_id": binding.world_id,
        "strategy_id": binding.strategy_id,
        "stage": binding.stage.value,
        "state": binding.state.value,
        "sides": json.dumps(sorted(side.value for side in binding.sides)),
        "created_by": binding.created_by,
        "created_us": micros(binding.created_at),
    }
    conn.execute(_SAVE_BINDING, values)


def grants_of(conn: Connection, world_id: str) -> list[Grant]:
    return [_grant(row) for row in conn.execute(_GRANTS, {"world": world_id}).mappings()]


def worlds_granted(conn: Connection, subject: str) -> frozenset[str]:
    query = sa.select(role_grants.c.world_id).where(role_grants.c.subject == subject)
    return frozenset(conn.execute(query).scalars())


def save_grant(conn: Connection, grant: Grant) -> None:
    delete_grant(conn, grant.world_id, grant.subject)
    conn.execute(
        sa.insert(role_grants).values(
            world_id=grant.world_id,
            subject=grant.subject,
            role=int(grant.role),
            granted_by=grant.granted_by,
            granted_us=micros(grant.granted_at),
        )
    )


def delete_grant(conn: Connection, world_id: str, subject: str) -> None:
    where = (role_grants.c.world_id == world_id, role_grants.c.subject == subject)
    conn.execute(sa.delete(role_grants).where(*where))


def append_audit(conn: Connection, row: AuditRow) -> None:
    """`sequence` is given by the store; the request is cut to what a person would still read."""
    values: dict[str, object] = {
        "world_id": row.world_id,
        "actor": row.actor,
        "event": row.event,
        "request": row.request[:REQUEST_MAX],
        "result": row.result,
        "detail": row.detail[:REQUEST_MAX],
        "correlation_id": row.correlation_id,
        "time_us": micros(row.time),
        "record": None,
        "record_revision": None,
        "record_whole": None,
    }
    if row.record is not None:
        values["record"] = record_to_proto(row.record).SerializeToString(deterministic=True)
        values["record_revision"], values["record_whole"] = row.record.revision, row.record.whole
    conn.execute(_APPEND_AUDIT, values)


def list_audit(conn: Connection, world_id: str, page: Page) -> list[AuditRow]:
    """Newest first; `after` is the last sequence seen."""
    query = sa.select(audit_log).where(audit_log.c.world_id == world_id).order_by(audit_log.c.sequence.desc())
    if page.after:
        query = query.where(audit_log.c.sequence < int(page.after))
    return [_audit(row) for row in conn.execute(query.limit(page.size + 1)).mappings()]


def audit_page(conn: Connection, world_id: str, page: Page) -> Page:
    """The page with no more rows than make a message that every peer takes; one at least."""
    table = audit_log.c
    query = sa.select(_AUDIT_BYTES).where(table.world_id == world_id).order_by(table.sequence.desc())
    if page.after:
        query = query.where(table.sequence < int(page.after))
    total = 0
    for count, size in enumerate(conn.execute(query.limit(page.size)).scalars()):
        total += size
        if total > AUDIT_BYTES_MAX:
            return replace(page, size=max(count, 1))
    return page


def recorded_revision(conn: Connection, world_id: str) -> int | None:
    """The revision of the newest record of a world's activation; None when it has none."""
    return conn.execute(_RECORDED, {"world": world_id}).scalar_one_or_none()


def records_until(conn: Connection, world_id: str, revision: int) -> Iterator[ActivationRecord]:
    """The records that lead to a revision (0: the newest), from the last whole one before it on; read as they are."""
    table = audit_log.c
    where = [table.world_id == world_id, table.record.is_not(None)]
    if revision:
        where.append(table.record_revision <= revision)
    whole = sa.select(sa.func.max(table.sequence)).where(*where, table.record_whole.is_(True)).scalar_subquery()
    query = sa.select(table.record).where(*where, table.sequence >= whole).order_by(table.sequence)
    for row in conn.execute(query, execution_options={"yield_per": RECORDS_AT_ONCE}).scalars():
        yield record_from_proto(worldpb.ActivationRecord.FromString(row))


def _known(world: World | None, world_id: str) -> World:
    if world is None:
        raise NotFound("E_WORLD_UNKNOWN", f"there is no world {world_id!r}", hint="list the worlds or create it")
    return world


def _world_values(world: World) -> dict[str, object]:
    return {
        "name": world.name,
        "owner": world.owner,
        "labels": json.dumps(dict(world.labels), sort_keys=True),
        "state": world.state.value,
        "allow_live": world.allow_live,
        "circuit_breaker": world.circuit_breaker,
        "default_policy_version": world.default_policy_version,
        "data_presets": json.dumps(world.data_presets),
        "created_us": micros(world.created_at),
        "updated_us": micros(world.updated_at),
        "revision": world.revision,
    }


def _world(row: RowMapping) -> World:
    return World(
        world_id=row["world_id"],
        name=row["name"],
        owner=row["owner"],
        labels=json.loads(row["labels"]),
        state=WorldState(row["state"]),
        allow_live=row["allow_live"],
        circuit_breaker=row["circuit_breaker"],
        default_policy_version=row["default_policy_version"],
        data_presets=_texts(row["data_presets"]),
        created_at=instant(row["created_us"]),
        updated_at=instant(row["updated_us"]),
        revision=row["revision"],
    )


def _policy(row: RowMapping) -> PolicyRecord:
    return PolicyRecord(
        world_id=row["world_id"],
        version=row["version"],
        document=row["document"],
        checksum=row["checksum"],
        status=PolicyStatus(row["status"]),
        created_by=row["created_by"],
        created_at=instant(row["created_us"]),
        valid_from=instant_or_none(row["valid_from_us"]),
    )


def _binding(row: RowMapping) -> Binding:
    return Binding(
        world_id=row["world_id"],
        strategy_id=row["strategy_id"],
        stage=Stage(row["stage"]),
        state=BindingState(row["state"]),
        sides=frozenset(Side(side) for side in _texts(row["sides"])),
        created_by=row["created_by"],
        created_at=instant(row["created_us"]),
    )


def _grant(row: RowMapping) -> Grant:
    role, granted_at = Role(row["role"]), instant(row["granted_us"])
    return Grant(row["world_id"], row["subject"], role, row["granted_by"], granted_at)


def _audit(row: RowMapping) -> AuditRow:
    return AuditRow(
        sequence=row["sequence"],
        world_id=row["world_id"],
        actor=row["actor"],
        event=row["event"],
        request=row["request"],
        result=row["result"],
        detail=row["detail"],
        correlation_id=row["correlation_id"],
        time=instant(row["time_us"]),
        record=None if row["record"] is None else record_from_proto(worldpb.ActivationRecord.FromString(row["record"])),
    )


def _texts(text: str) -> tuple[str, ...]:
    values: Sequence[str] = json.loads(text)
    return tuple(values)


# Statements of every write, built once: building one costs as much as running it.
_WORLD = sa.select(worlds).where(worlds.c.world_id == sa.bindparam("id"))
_LOCK_WORLD = _WORLD.with_for_update()
_IN_WORLD = bindings.c.world_id == sa.bindparam("world")
_BINDING = sa.select(bindings).where(_IN_WORLD, bindings.c.strategy_id == sa.bindparam("strategy"))
_ACTIVE = (_IN_WORLD, bindings.c.state == BindingState.ACTIVE.value)
_ACTIVE_BINDINGS = sa.select(bindings).where(*_ACTIVE).order_by(bindings.c.strategy_id)
_COUNT_BINDINGS = sa.select(sa.func.count()).select_from(bindings).where(*_ACTIVE)
_SAVE_BINDING = sa.text(
    "INSERT INTO bindings (world_id, strategy_id, stage, state, sides, plan_version, created_by, created_us) "
    "VALUES (:world_id, :strategy_id, :stage, :state, :sides, 0, :created_by, :created_us) "
    "ON CONFLICT (world_id, strategy_id) DO UPDATE SET stage = excluded.stage, state = excluded.state, "
    "sides = excluded.sides, created_by = excluded.created_by, created_us = excluded.created_us"
)
_GRANTS = sa.select(role_grants).where(role_grants.c.world_id == sa.bindparam("world")).order_by(role_grants.c.subject)
_APPEND_AUDIT = sa.insert(audit_log)
_RECORDED = (
    sa.select(audit_log.c.record_revision)
    .where(audit_log.c.world_id == sa.bindparam("world"), audit_log.c.record.is_not(None))
    .order_by(audit_log.c.sequence.desc())
    .limit(1)
)
_AUDIT_BYTES = (  # a request is ASCII, a detail may be anything
    512
    + sa.func.length(audit_log.c.request)
    + 4 * sa.func.length(audit_log.c.detail)
    + sa.func.coalesce(sa.func.length(audit_log.c.record), 0)
)
