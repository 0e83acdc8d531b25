"""Submissions: legal moves, what a request may say, and when a failed attempt is tried again."""

from __future__ import annotations

import pytest

from gateway.submissions.domain import (
    LIVE,
    NAME_MAX,
    REQUEST_ID_MAX,
    WORLDS_MAX,
    State,
    backoff_s,
    check_crc32,
    check_request,
    check_worlds,
    move,
    strategy_id_of,
)
from qmtl.core.errors import InvalidRequest, NotReady

WORLDS = [f"w{n}" for n in range(WORLDS_MAX)]


def test_a_strategy_moves_as_the_table_says_and_in_no_other_way() -> None:
    legal = {
        ("QUEUED", "PROCESSING"),
        ("QUEUED", "CANCELED"),
        ("PROCESSING", "COMPLETED"),
        ("PROCESSING", "FAILED"),
        ("PROCESSING", "QUEUED"),
        ("PROCESSING", "CANCELED"),
        ("COMPLETED", "CANCELED"),
    }
    for state in State:
        for to in State:
            if (state.value, to.value) in legal:
                assert move(state, to) is to
            else:
                with pytest.raises(NotReady, match="E_STRATEGY_STATE"):
                    move(state, to)


def test_what_failed_or_was_canceled_is_not_live() -> None:
    assert {State.QUEUED, State.PROCESSING, State.COMPLETED} == LIVE


def test_attempts_wait_longer_each_time_and_five_seconds_at_most() -> None:
    assert [backoff_s(attempts) for attempts in range(8)] == [0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]


def test_one_request_of_one_subject_is_one_strategy() -> None:
    mine = strategy_id_of("ann", "r1")
    assert mine == strategy_id_of("ann", "r1")
    assert len(mine) == len("s-") + 20
    assert len({mine, strategy_id_of("bob", "r1"), strategy_id_of("ann", "r2")}) == 3


def test_the_longest_request_that_is_taken() -> None:
    check_request("r" * REQUEST_ID_MAX, "n" * NAME_MAX, WORLDS)


@pytest.mark.parametrize(
    ("request_id", "name", "worlds", "reason"),
    [
        ("", "n", ["w"], "E_REQUEST_ID"),
        ("r" * (REQUEST_ID_MAX + 1), "n", ["w"], "E_REQUEST_ID"),
        ("r\n", "n", ["w"], "E_REQUEST_ID"),
        ("r", "", ["w"], "E_NAME"),
        ("r", "n" * (NAME_MAX + 1), ["w"], "E_NAME"),
        ("r", "n\t", ["w"], "E_NAME"),
        ("r", "n", [], "E_WORLD_IDS_REQUIRED"),
        ("r", "n", ["w", "w"], "E_WORLD_IDS"),
        ("r", "n", [*WORLDS, "one more"], "E_WORLD_IDS"),
    ],
)
def test_a_request_that_can_never_be_served_is_refused(
    request_id: str, name: str, worlds: list[str], reason: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_request(request_id, name, worlds)
    assert refused.value.reason == reason


def test_worlds_alone_are_judged_alike() -> None:
    check_worlds(WORLDS)
    with pytest.raises(InvalidRequest):
        check_worlds([*WORLDS, "one more"])


def test_a_checksum_of_other_nodes_is_refused() -> None:
    check_crc32(7, 7)
    with pytest.raises(InvalidRequest, match="E_CHECKSUM_MISMATCH"):
        check_crc32(7, 8)
