"""Tag queries and retention."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagmanager.queues.domain.queues import RETENTION, MatchMode, matches, tag_query
from qmtl.core.errors import InvalidRequest
from qmtl.core.identity.nodes import QueueClass
from qmtl.core.modes import ExecutionDomain
from tests.dagmanager.graphs import NOW

TAGS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4)


@given(TAGS, TAGS)
def test_any_wants_one_tag_and_all_wants_each(asked: list[str], carried: list[str]) -> None:
    words = (carried, 60, "w", ExecutionDomain.LIVE)
    assert matches(tag_query(asked, MatchMode.ANY, 60), *words) == bool(set(asked) & set(carried))
    assert matches(tag_query(asked, MatchMode.ALL, 60), *words) == (set(asked) <= set(carried))


@pytest.mark.parametrize(
    ("interval_s", "world_id", "domain", "found"),
    [
        (60, "", None, True),
        (60, "w", ExecutionDomain.LIVE, True),
        (61, "", None, False),
        (60, "other", None, False),
        (60, "", ExecutionDomain.DRYRUN, False),
    ],
)
def test_interval_must_be_equal_and_world_and_domain_if_asked(
    interval_s: int, world_id: str, domain: ExecutionDomain | None, found: bool
) -> None:
    query = tag_query(["a"], MatchMode.ANY, interval_s, world_id, domain)
    assert matches(query, ["a"], 60, "w", ExecutionDomain.LIVE) is found


@given(TAGS)
def test_equal_questions_have_equal_keys(tags: list[str]) -> None:
    spaced = [f" {tag} " for tag in reversed(tags)]
    assert tag_query(tags, MatchMode.ALL, 60, "w").key == tag_query(spaced, MatchMode.ALL, 60, "w").key
    assert tag_query(tags, MatchMode.ALL, 60, "w").key != tag_query(tags, MatchMode.ANY, 60, "w").key


@pytest.mark.parametrize("tags", [[], [" "], ["a b"], ["x" * 101], [f"t{n}" for n in range(17)]])
def test_bad_queries_are_refused(tags: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        tag_query(tags, MatchMode.ANY, 60)
    assert caught.value.reason == "E_TAG_QUERY"


@pytest.mark.parametrize(
    ("queue_class", "days", "archived"),
    [(QueueClass.RAW, 8, False), (QueueClass.INDICATOR, 33, False), (QueueClass.TRADE, 97, True)],
)
def test_retention_is_time_to_live_and_grace(queue_class: QueueClass, days: int, archived: bool) -> None:
    retention = RETENTION[queue_class]
    assert retention.ends_at(NOW) == NOW + timedelta(days=days)
    assert retention.archive is archived
