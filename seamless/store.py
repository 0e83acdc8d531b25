"""The catalogue in SQL: sealed artifacts with their coverage, conformance reports, replay sessions.

Artifacts are only ever added. A replay's watermark is written before anyone sees a bar beyond the old
one, and an older value never overwrites a newer. Every function runs inside a caller's transaction.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from seamless.domain.coverage import Span
from seamless.domain.fingerprint import Leaf
from seamless.domain.manifest import Manifest
from seamless.domain.replay import Replay

metadata = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _int(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)


artifacts = sa.Table(
    "artifacts",
    metadata,
    _text("fingerprint", key=True),
    _text("dataset"),
    _int("as_of_ns"),
    _int("start_ns"),
    _int("end_ns"),
    _int("rows"),
    _text("rule_version"),
    _text("policy"),
    _text("calendar"),
    _text("calendar_version"),
    _text("producer"),
    _text("cut_of"),
    sa.Index("artifacts_as_of", "dataset", "as_of_ns"),
)
leaves = sa.Table(
    "leaves",
    metadata,
    _text("fingerprint", key=True),
    _text("month", key=True),
    _text("digest"),
    _int("rows"),
)
spans = sa.Table(
    "spans",
    metadata,
    _text("fingerprint", key=True),
    _int("start_ns", key=True),
    _int("end_ns"),
)
reports = sa.Table(
    "reports",
    metadata,
    _text("dataset", key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
replays = sa.Table(
    "replays",
    metadata,
    _text("session_id", key=True),
    _text("preset"),
    _text("dataset"),
    _text("source"),
    _text("history"),
    _int("start_ns"),
    _int("end_ns"),
    _int("interval_ns"),
    sa.Column("bars_per_s", sa.Double, nullable=False),
    _int("opened_at_ns"),
    _int("advanced_at_ns"),
    _int("watermark_ns"),
)
followers = sa.Table(
    "followers",
    metadata,
    _text("session_id", key=True),
    _text("name", key=True),
)


def add_artifact(conn: Connection, manifest: Manifest) -> None:
    """Record a sealed artifact; a known fingerprint is left as it is."""
    if conn.scalar(sa.select(artifacts.c.fingerprint).where(artifacts.c.fingerprint == manifest.fingerprint)):
        return
    key = {"fingerprint": manifest.fingerprint}
    conn.execute(sa.insert(artifacts), _artifact_row(manifest))
    parts = [{**key, "month": p.month, "digest": p.digest, "rows": p.rows} for p in manifest.leaves]
    conn.execute(sa.insert(leaves), parts)
    conn.execute(sa.insert(spans), [{**key, "start_ns": s.start_ns, "end_ns": s.end_ns} for s in manifest.coverage])


def seen_at(conn: Connection, dataset: str, as_of_ns: int | None = None) -> str | None:
    """The fingerprint of the newest segment sealed at or before an as_of (None: of all); cuts are not seen by time."""
    query = sa.select(artifacts.c.fingerprint).where(artifacts.c.dataset == dataset, artifacts.c.cut_of == "")
    if as_of_ns is not None:
        query = query.where(artifacts.c.as_of_ns <= as_of_ns)
    return conn.scalar(query.order_by(artifacts.c.as_of_ns.desc()).limit(1))


def artifact(conn: Connection, fingerprint: str) -> Manifest | None:
    """The segment of a fingerprint."""
    row = conn.execute(sa.select(artifacts).where(artifacts.c.fingerprint == fingerprint)).mappings().first()
    return _manifest(conn, row) if row else None


def artifacts_of(
    conn: Connection, dataset: str, *, limit: int, before: tuple[int, str] | None = None
) -> list[Manifest]:
    """Segments of a dataset, newest first, after the position (as_of, fingerprint) of a page before."""
    order = (artifacts.c.as_of_ns.desc(), artifacts.c.fingerprint.desc())
    query = sa.select(artifacts).where(artifacts.c.dataset == dataset).order_by(*order).limit(limit)
    if before:
        query = query.where(sa.tuple_(artifacts.c.as_of_ns, artifacts.c.fingerprint) < before)
    return [_manifest(conn, row) for row in conn.execute(query).mappings()]


def save_report(conn: Connection, dataset: str, body: bytes) -> None:
    """Keep the newest conformance report of a dataset."""
    conn.execute(sa.delete(reports).where(reports.c.dataset == dataset))
    conn.execute(sa.insert(reports), {"dataset": dataset, "body": body})


def load_report(conn: Connection, dataset: str) -> bytes | None:
    """The newest conformance report of a dataset."""
    return conn.scalar(sa.select(reports.c.body).where(reports.c.dataset == dataset))


def add_replay(conn: Connection, replay: Replay) -> Replay:
    """Record a session, or answer the one that has its name already."""
    known = load_replay(conn, replay.session_id)
    if known is None:
        conn.execute(sa.insert(replays), _replay_row(replay))
    return known or replay


def load_replay(conn: Connection, session_id: str) -> Replay | None:
    """A session by its name."""
    row = conn.execute(sa.select(replays).where(replays.c.session_id == session_id)).mappings().first()
    return _replay(row) if row else None


def advance_replay(conn: Connection, replay: Replay) -> None:
    """Write a session's new watermark; an older one than is stored changes nothing."""
    newer = sa.and_(replays.c.session_id == replay.session_id, replays.c.watermark_ns < replay.watermark_ns)
    moved = {"watermark_ns": replay.watermark_ns, "advanced_at_ns": replay.advanced_at_ns}
    conn.execute(sa.update(replays).where(newer).values(moved))


def add_followers(conn: Connection, session_id: str, names: Iterable[str]) -> None:
    """Remember whom a session waits for."""
    for name in sorted(set(names) - set(followers_of(conn, session_id))):
        conn.execute(sa.insert(followers), {"session_id": session_id, "name": name})


def followers_of(conn: Connection, session_id: str) -> list[str]:
    """Whom a session waits for."""
    query = sa.select(followers.c.name).where(followers.c.session_id == session_id).order_by(followers.c.name)
    return list(conn.scalars(query))


def remove_follower(conn: Connection, session_id: str, name: str) -> None:
    """Forget one that has left."""
    conn.execute(sa.delete(followers).where(followers.c.session_id == session_id, followers.c.name == name))


def unfinished_replays(conn: Connection) -> int:
    """How many sessions still have bars to play."""
    return conn.scalar(sa.select(sa.func.count()).where(replays.c.watermark_ns < replays.c.end_ns)) or 0


def _artifact_row(manifest: Manifest) -> dict[str, str | int]:
    return {
        "fingerprint": manifest.fingerprint,
        "dataset": manifest.dataset,
        "as_of_ns": manifest.as_of_ns,
        "start_ns": manifest.span.start_ns,
        "end_ns": manifest.span.end_ns,
        "rows": manifest.rows,
        "rule_version": manifest.rule_version,
        "policy": manifest.policy,
        "calendar": manifest.calendar,
        "calendar_version": manifest.calendar_version,
        "producer": manifest.producer,
        "cut_of": manifest.cut_of,
    }


def _manifest(conn: Connection, row: RowMapping) -> Manifest:
    key = row["fingerprint"]
    parts = conn.execute(sa.select(leaves).where(leaves.c.fingerprint == key).order_by(leaves.c.month)).mappings()
    have = conn.execute(sa.select(spans).where(spans.c.fingerprint == key).order_by(spans.c.start_ns)).mappings()
    return Manifest(
        dataset=row["dataset"],
        fingerprint=key,
        as_of_ns=row["as_of_ns"],
        span=Span(row["start_ns"], row["end_ns"]),
        rows=row["rows"],
        coverage=tuple(_spans(have)),
        leaves=tuple(Leaf(part["month"], part["digest"], part["rows"]) for part in parts),
        rule_version=row["rule_version"],
        policy=row["policy"],
        calendar=row["calendar"],
        calendar_version=row["calendar_version"],
        producer=row["producer"],
        cut_of=row["cut_of"],
    )


def _spans(rows: Iterable[RowMapping]) -> Iterable[Span]:
    return (Span(row["start_ns"], row["end_ns"]) for row in rows)


def _replay_row(replay: Replay) -> dict[str, str | int | float]:
    return {
        "session_id": replay.session_id,
        "preset": replay.preset,
        "dataset": replay.dataset,
        "source": replay.source,
        "history": replay.history,
        "start_ns": replay.span.start_ns,
        "end_ns": replay.span.end_ns,
        "interval_ns": replay.interval_ns,
        "bars_per_s": replay.bars_per_s,
        "opened_at_ns": replay.opened_at_ns,
        "advanced_at_ns": replay.advanced_at_ns,
        "watermark_ns": replay.watermark_ns,
    }


def _replay(row: RowMapping) -> Replay:
    return Replay(
        session_id=row["session_id"],
        preset=row["preset"],
        dataset=row["dataset"],
        source=row["source"],
        history=row["history"],
        span=Span(row["start_ns"], row["end_ns"]),
        interval_ns=row["interval_ns"],
        bars_per_s=row["bars_per_s"],
        opened_at_ns=row["opened_at_ns"],
        advanced_at_ns=row["advanced_at_ns"],
        watermark_ns=row["watermark_ns"],
    )
