"""Rows of activations, their fences and their history."""

from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping

from qmtl.calendars.windows import Window
from qmtl.core.limits import limits_of, limits_text
from qmtl.core.modes import EffectiveMode
from qmtl.core.standings import standings_of, standings_text
from qmtl.sql.instants import instant, instant_or_none, micros, micros_or_none
from qmtl.sql.statements.prepared import Prepared
from worldservice.activation.domain.activation import TRADING, Activation, Entry, Fence, FenceState, Phase, empty
from worldservice.activation.tables import activation_entries, activation_history, activations, world_fences
from worldservice.worlds.domain.binding import Side

_WINDOWS = TypeAdapter(list[Window])


def load_activation(conn: Connection, world_id: str, created_at: datetime) -> Activation:
    """The activation of a world; one that was never changed is empty, as of the world's creation."""
    of = {"world": world_id}
    heads, fences = _HEAD.ask(conn, of), _FENCE.ask(conn, of)
    rows = conn.execute(_ENTRIES, of).mappings()
    head = heads.rows().mappings().one_or_none()
    if head is None:
        return empty(world_id, created_at)
    return Activation(
        world_id=world_id,
        revision=head["revision"],
        entries=tuple(sorted((_entry(row) for row in rows), key=lambda e: (e.strategy_id, e.side.value))),
        fence=_fence(fences.rows().mappings().one()),
        run_id=head["run_id"],
        sequence=head["sequence"],
        phase=Phase(head["phase"]),
        requires_ack=head["requires_ack"],
        time=instant(head["time_us"]),
        windows=tuple(_WINDOWS.validate_json(head["windows"])),
    )


def save_activation(conn: Connection, activation: Activation) -> None:
    """Replace the whole activation; the caller holds the world's lock."""
    world_id = activation.world_id
    for table in (activation_entries, activations, world_fences):
        conn.execute(sa.delete(table).where(table.c.world_id == world_id))
    conn.execute(
        sa.insert(activations).values(
            world_id=world_id,
            revision=activation.revision,
            run_id=activation.run_id,
            sequence=activation.sequence,
            phase=activation.phase.value,
            requires_ack=activation.requires_ack,
            time_us=micros(activation.time),
            windows=_WINDOWS.dump_json(list(activation.windows)).decode(),
        )
    )
    conn.execute(sa.insert(world_fences).values(world_id=world_id, **_fence_values(activation.fence)))
    rows = [{"world_id": world_id, **_entry_values(entry)} for entry in activation.entries]
    if rows:
        conn.execute(sa.insert(activation_entries), rows)


def confirm_epoch(conn: Connection, world_id: str, epoch: int) -> bool:
    """Record that brokerage has committed an epoch; False: a late confirmation of an older one changes nothing."""
    fences = world_fences.c
    where = (fences.world_id == world_id, fences.confirmed_epoch < epoch, fences.epoch >= epoch)
    return conn.execute(sa.update(world_fences).where(*where).values(confirmed_epoch=epoch)).rowcount > 0


def append_history(conn: Connection, world_id: str, revision: int, envelope: bytes) -> None:
    """Keep an envelope as it was published."""
    conn.execute(sa.insert(activation_history).values(world_id=world_id, revision=revision, envelope=envelope))


def history_after(conn: Connection, world_id: str, revision: int, limit: int) -> list[bytes]:
    """Envelopes as published, in order of revision."""
    table = activation_history
    query = (
        sa.select(table.c.envelope)
        .where(table.c.world_id == world_id, table.c.revision > revision)
        .order_by(table.c.revision)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def history_before(conn: Connection, world_id: str, revision: int, limit: int) -> list[bytes]:
    """Envelopes as published, of lower revisions, the highest first."""
    table = activation_history
    query = (
        sa.select(table.c.envelope)
        .where(table.c.world_id == world_id, table.c.revision < revision)
        .order_by(table.c.revision.desc())
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def revisions(conn: Connection) -> dict[str, tuple[int, datetime]]:
    """By world, the activation's revision and when it was made."""
    return {row.world_id: (row.revision, instant(row.time_us)) for row in _REVISIONS.rows(conn)}


def pending_fences(conn: Connection) -> list[str]:
    """Worlds whose fence brokerage has not confirmed."""
    return list(_PENDING.rows(conn).scalars())


def trading_worlds(conn: Connection) -> list[str]:
    """Worlds above COMPUTE_ONLY."""
    modes = [mode.value for mode in TRADING]
    query = sa.select(world_fences.c.world_id).where(world_fences.c.effective_mode.in_(modes))
    return list(conn.execute(query.order_by(world_fences.c.world_id)).scalars())


def _fence_values(fence: Fence) -> dict[str, int | str]:
    standings = standings_text((strategy_id, side.value) for strategy_id, side in fence.standings)
    return {
        "epoch": fence.epoch,
        "state": fence.state.value,
        "effective_mode": fence.effective_mode.value,
        "confirmed_epoch": fence.confirmed_epoch,
        "limits": limits_text(fence.limits),
        "standings": standings,
    }


def _fence(row: RowMapping) -> Fence:
    state, mode = FenceState(row["state"]), EffectiveMode(row["effective_mode"])
    standings = frozenset((strategy_id, Side(side)) for strategy_id, side in standings_of(row["standings"]))
    return Fence(row["epoch"], state, mode, row["confirmed_epoch"], limits_of(row["limits"]), standings)


def _entry_values(entry: Entry) -> dict[str, object]:
    return {
        "strategy_id": entry.strategy_id,
        "side": entry.side.value,
        "active": entry.active,
        "weight": entry.weight,
        "freeze": entry.freeze,
        "drain": entry.drain,
        "valid_from_us": micros_or_none(entry.valid_from),
        "valid_until_us": micros_or_none(entry.valid_until),
        "changed_us": micros(entry.changed_at),
        "run_id": entry.run_id,
        "effective_mode": entry.effective_mode.value,
        "live_since_us": micros_or_none(entry.live_since),
    }


def _entry(row: RowMapping) -> Entry:
    return Entry(
        strategy_id=row["strategy_id"],
        side=Side(row["side"]),
        active=row["active"],
        weight=row["weight"],
        freeze=row["freeze"],
        drain=row["drain"],
        valid_from=instant_or_none(row["valid_from_us"]),
        valid_until=instant_or_none(row["valid_until_us"]),
        changed_at=instant(row["changed_us"]),
        run_id=row["run_id"],
        effective_mode=EffectiveMode(row["effective_mode"]),
        live_since=instant_or_none(row["live_since_us"]),
    )


_HEAD, _FENCE = (
    Prepared(sa.select(table).where(table.c.world_id == sa.bindparam("world"))) for table in (activations, world_fences)
)
_ENTRIES = sa.select(activation_entries).where(activation_entries.c.world_id == sa.bindparam("world"))  # has decimals
_REVISIONS = Prepared(sa.select(activations.c.world_id, activations.c.revision, activations.c.time_us))
_PENDING = Prepared(
    sa.select(world_fences.c.world_id)
    .where(world_fences.c.confirmed_epoch < world_fences.c.epoch)
    .order_by(world_fences.c.world_id)
)
