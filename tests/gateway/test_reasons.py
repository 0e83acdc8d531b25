"""What the gateway refuses before it asks anybody, each by its reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from gateway.events.subscribers import Subscribers
from gateway.events.tokens import StreamGrant
from gateway.events.topics import check_topics
from gateway.submissions.domain import State, check_request, move
from qmtl.core.errors import Exhausted, InvalidRequest, NotReady
from qmtl.gateway.v1 import event_pb2 as eventpb


@pytest.mark.parametrize("topics", [[], [99]])
def test_topics_are_known_and_at_least_one(topics: list[int]) -> None:
    with pytest.raises(InvalidRequest, match="E_TOPIC"):
        check_topics([cast("eventpb.Topic", number) for number in topics])


def test_subscribers_are_bounded() -> None:
    subscribers = Subscribers()
    grant = StreamGrant(cast("object", None), "s", datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]  # unread
    subscribers.enter(grant, 1)
    with pytest.raises(Exhausted, match="E_SUBSCRIBERS"):
        subscribers.enter(grant, 1)


def test_a_strategy_that_failed_moves_nowhere() -> None:
    with pytest.raises(NotReady, match="E_STRATEGY_STATE") as caught:
        move(State.FAILED, State.CANCELED)
    assert caught.value.metadata == {"state": "FAILED"}


@pytest.mark.parametrize("request_id", ["", "a\nb", "x" * 10_000])
def test_a_request_id_is_a_short_text(request_id: str) -> None:
    with pytest.raises(InvalidRequest, match="E_REQUEST_ID"):
        check_request(request_id, "name", ["w1"])
