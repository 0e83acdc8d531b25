"""Queues as metadata: their class with its retention, their state, and tag queries over them.

A queue belongs to one ComputeKey: the node is shared by the mesh, its runtime state never is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity.dag import TAG
from qmtl.core.identity.keys import TAG_QUERY
from qmtl.core.identity.nodes import DagNode, QueueClass
from qmtl.core.modes import ComputeContext, ExecutionDomain

QUERY_TAGS_MAX = 16
QUERY_TAG_CHARS_MAX = 1_000  # the query is its event key, and a broker subject holds at most 4 KiB


class QueueState(Enum):
    """Where a queue is in its life."""

    ACTIVE = "ACTIVE"
    RELEASED = "RELEASED"
    ARCHIVED = "ARCHIVED"
    DROPPED = "DROPPED"


class MatchMode(Enum):
    """How many of a query's tags a queue must carry."""

    ANY = "ANY"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a queue outlives its last reference, and whether it is archived first."""

    ttl: timedelta
    grace: timedelta
    archive: bool

    def ends_at(self, released_at: datetime) -> datetime:
        """When a queue released at this instant may be dropped."""
        return released_at + self.ttl + self.grace


RETENTION: dict[QueueClass, Retention] = {
    QueueClass.RAW: Retention(timedelta(days=7), timedelta(days=1), archive=False),
    QueueClass.INDICATOR: Retention(timedelta(days=30), timedelta(days=3), archive=False),
    QueueClass.TRADE: Retention(timedelta(days=90), timedelta(days=7), archive=True),
}


@dataclass(frozen=True, slots=True)
class TagQuery:
    """A question for queues; `tags` sorted and unique. No world or domain: any."""

    tags: tuple[str, ...]
    match_mode: MatchMode
    interval_s: int
    world_id: str = ""
    execution_domain: ExecutionDomain | None = None

    @property
    def key(self) -> str:
        """The canonical form: equal questions have equal keys, whatever order their tags came in."""
        domain = "" if self.execution_domain is None else self.execution_domain.value
        return "|".join((self.match_mode.value, str(self.interval_s), self.world_id, domain, ",".join(self.tags)))


def tag_query(
    tags: Iterable[str],
    match_mode: MatchMode,
    interval_s: int,
    world_id: str = "",
    execution_domain: ExecutionDomain | None = None,
) -> TagQuery:
    """Normalise and check a query: tags trimmed, unique, sorted, at least one. Raises InvalidRequest (E_TAG_QUERY)."""
    given = [tag.strip() for tag in tags]
    clean = tuple(sorted(set(given)))
    if not clean:
        raise _refused(Violation("query.tags", "empty", "at least one tag"))
    for tag in clean:
        if not TAG.fullmatch(tag):
            raise _refused(Violation("query.tags", repr(tag[:120]), f"tags of the form {TAG.pattern}"))
    if len(clean) > QUERY_TAGS_MAX or sum(map(len, clean)) > QUERY_TAG_CHARS_MAX:
        want = f"at most {QUERY_TAGS_MAX} tags and {QUERY_TAG_CHARS_MAX} characters"
        raise _refused(Violation("query.tags", f"{len(clean)} tags", want))
    return TagQuery(clean, match_mode, interval_s, world_id, execution_domain)


def matches(
    query: TagQuery, tags: Iterable[str], interval_s: int, world_id: str, execution_domain: ExecutionDomain
) -> bool:
    """Whether a queue with these words answers the query."""
    if query.interval_s != interval_s:
        return False
    if query.world_id and query.world_id != world_id:
        return False
    if query.execution_domain is not None and query.execution_domain is not execution_domain:
        return False
    wanted = set(query.tags)
    return wanted.issubset(tags) if query.match_mode is MatchMode.ALL else not wanted.isdisjoint(tags)


def _refused(violation: Violation) -> InvalidRequest:
    return InvalidRequest("E_TAG_QUERY", str(violation), violations=(violation,))


@dataclass(frozen=True, slots=True)
class Counters:
    """What the catalogue says was written to a queue; instants in microseconds."""

    rows: int = 0
    first_us: int | None = None
    last_us: int | None = None


@dataclass(frozen=True, slots=True)
class QueueTraits:
    """What tag queries can ask of a queue."""

    tags: tuple[str, ...]
    interval_s: int
    world_id: str
    execution_domain: ExecutionDomain


def queries_of(nodes: Sequence[DagNode], contexts: Sequence[ComputeContext]) -> list[TagQuery]:
    """The tag queries that a DAG's TagQuery nodes ask, each within its own world and domain."""
    asked: dict[str, TagQuery] = {}
    for node in nodes:
        if node.spec.node_type != TAG_QUERY:
            continue
        tags, mode = node.spec.params["query_tags"], node.spec.params["match_mode"]
        words = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list | tuple) else []
        match_mode = MatchMode.ALL if mode == "all" else MatchMode.ANY
        for context in contexts:
            query = tag_query(words, match_mode, node.spec.interval_s, context.world_id, context.execution_domain)
            asked[query.key] = query
    return list(asked.values())
