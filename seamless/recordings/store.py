"""Delivered bars and what they were sealed as, in SQL. Every function runs inside a caller's transaction."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from seamless.domain.bars import VALUES, Bars, no_bars, of_values
from seamless.live.store import live_sessions
from seamless.schema import integer_column, metadata, text_column

delivered = sa.Table(
    "delivered_bars",
    metadata,
    text_column("session_id", key=True),
    text_column("preset", key=True),
    integer_column("open_ns", key=True),
    *(sa.Column(name, sa.Double, nullable=False) for name in VALUES),
    integer_column("flags"),
    integer_column("told_ns"),
)
recordings = sa.Table(
    "recordings",
    metadata,
    text_column("session_id", key=True),
    text_column("preset", key=True),
    text_column("fingerprint"),
    integer_column("final"),
)
sealings = sa.Table(
    "recording_sealings",
    metadata,
    text_column("fingerprint", key=True),
    text_column("session_id", key=True),
    text_column("preset"),
    sa.Column("told", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the bars of a preset in a session were sealed as, the last time; final: no more are recorded."""

    session_id: str
    preset: str
    fingerprint: str
    final: bool


@dataclass(frozen=True, slots=True)
class Sealing:
    """Bars that a session delivered of a preset, as they were sealed, and how far it had come when each was told."""

    fingerprint: str
    session_id: str
    preset: str
    told_ns: NDArray[np.int64]


def add_delivery(conn: Connection, session_id: str, parts: Iterable[tuple[str, Bars]], told_ns: int) -> bool:
    """Keep the bars of each preset as they were delivered first, when a session had come so far; those that are there
    stay.

    False, and none is kept, where the session is closed or its recording is finished.
    """
    if _lock_session(conn, session_id):
        return False
    final = (recordings.c.session_id == session_id, recordings.c.final == 1)
    if conn.scalar(sa.select(recordings.c.final).where(*final).limit(1)):
        return False
    for preset, bars in parts:
        _add_bars(conn, session_id, preset, bars, told_ns)
    return True


def _lock_session(conn: Connection, session_id: str) -> int | None:
    """When a session was closed, 0: it goes on. Until the transaction ends nobody else records, seals or closes it: of
    two subscribers that are given a bar at once, one finds it kept.
    """
    query = sa.select(live_sessions.c.closed_at_ns).where(live_sessions.c.session_id == session_id)
    return conn.scalar(query.with_for_update())


def _add_bars(conn: Connection, session_id: str, preset: str, bars: Bars, told_ns: int) -> None:
    mine = (delivered.c.session_id == session_id, delivered.c.preset == preset)
    opens = delivered.c.open_ns.between(int(bars.time_ns[0]), int(bars.time_ns[-1]))
    known = set(conn.scalars(sa.select(delivered.c.open_ns).where(*mine, opens)))
    columns = zip(bars.time_ns.tolist(), *(value.tolist() for value in bars.values()), bars.flags.tolist(), strict=True)
    rows = [
        {
            "session_id": session_id,
            "preset": preset,
            "open_ns": at,
            **dict(zip(VALUES, rest[:-1], strict=True)),
            "flags": rest[-1],
            "told_ns": told_ns,
        }
        for at, *rest in columns
        if at not in known
    ]
    if rows:
        conn.execute(sa.insert(delivered), rows)


def presets_of(conn: Connection, session_id: str) -> list[str]:
    """Presets of which a session delivered bars that are kept."""
    query = sa.select(delivered.c.preset).where(delivered.c.session_id == session_id)
    return list(conn.scalars(query.distinct().order_by(delivered.c.preset)))


def bars_of(conn: Connection, session_id: str, preset: str) -> tuple[Bars, NDArray[np.int64]]:
    """The bars of a preset as a session delivered them, in order, and how far it had come when each was told."""
    names = ("open_ns", *VALUES, "flags", "told_ns")
    query = sa.select(*(delivered.c[name] for name in names)).where(
        delivered.c.session_id == session_id, delivered.c.preset == preset
    )
    rows = conn.execute(query.order_by(delivered.c.open_ns)).all()
    if not rows:
        return no_bars(), np.empty(0, np.int64)
    opens, *values, flags, told = zip(*rows, strict=True)
    bars = of_values(
        np.array(opens, np.int64), [np.array(one, np.float64) for one in values], np.array(flags, np.uint8)
    )
    return bars, np.array(told, np.int64)


def keep_sealing(conn: Connection, made: Sealing) -> None:
    """Remember what the bars of a session were sealed as; the same again changes nothing."""
    row = {"fingerprint": made.fingerprint, "session_id": made.session_id}
    if conn.scalar(sa.select(sealings.c.preset).filter_by(**row)) is None:
        told = zlib.compress(made.told_ns.astype("<i8").tobytes())
        conn.execute(sa.insert(sealings), {**row, "preset": made.preset, "told": told})


def sealings_of(conn: Connection, fingerprint: str) -> list[Sealing]:
    """Whose delivered bars were sealed as a fingerprint, by session."""
    query = sa.select(sealings).where(sealings.c.fingerprint == fingerprint).order_by(sealings.c.session_id)
    return [
        Sealing(fingerprint, row["session_id"], row["preset"], np.frombuffer(zlib.decompress(row["told"]), "<i8"))
        for row in conn.execute(query).mappings()
    ]


def keep_recording(conn: Connection, made: Recorded) -> None:
    """Remember what bars were sealed as; of a finished recording the rows are in its artifact, and kept there alone.

    One that is finished stays as it is, whoever sealed less of it meanwhile.
    """
    _lock_session(conn, made.session_id)
    mine = (recordings.c.session_id == made.session_id, recordings.c.preset == made.preset)
    if conn.scalar(sa.select(recordings.c.final).where(*mine)):
        return
    conn.execute(sa.delete(recordings).where(*mine))
    row = {
        "session_id": made.session_id,
        "preset": made.preset,
        "fingerprint": made.fingerprint,
        "final": int(made.final),
    }
    conn.execute(sa.insert(recordings), row)
    if made.final:
        rows = (delivered.c.session_id == made.session_id, delivered.c.preset == made.preset)
        conn.execute(sa.delete(delivered).where(*rows))


def recordings_of(conn: Connection, session_id: str) -> list[Recorded]:
    """What the bars of a session were sealed as, by preset."""
    query = sa.select(recordings).where(recordings.c.session_id == session_id).order_by(recordings.c.preset)
    return [
        Recorded(row["session_id"], row["preset"], row["fingerprint"], bool(row["final"]))
        for row in conn.execute(query).mappings()
    ]
