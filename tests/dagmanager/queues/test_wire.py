"""Tag queries come back from the wire as they went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagmanager.queues import wire as queues_wire
from dagmanager.queues.domain.queues import MatchMode, tag_query
from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import ExecutionDomain


@given(
    st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=4),
    st.sampled_from(MatchMode),
    st.integers(0, 604_800),
    st.sampled_from([None, *ExecutionDomain]),
)
def test_tag_queries_come_back_as_they_went(
    tags: list[str], mode: MatchMode, interval_s: int, domain: ExecutionDomain | None
) -> None:
    query = tag_query(tags, mode, interval_s, "w", domain)
    assert queues_wire.tag_query_from_proto(queues_wire.tag_query_to_proto(query)) == query


def test_a_call_names_a_bounded_number_of_keys() -> None:
    queues_wire.check_key_count(["a", "b"], 2)
    with pytest.raises(InvalidRequest, match="E_TOO_MANY_KEYS") as caught:
        queues_wire.check_key_count(["a", "b", "c"], 2)
    assert [violation.want for violation in caught.value.violations] == ["at most 2"]
