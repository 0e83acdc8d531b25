"""The ledger finds what is lost, doubled or passed in a freeze."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.ledger import DENIED, Entry, Freeze, Held, Judgement, Ledger, judge

WHOLE = Held(
    submissions=[("r1", "s1")], strategies=["s1"],
    orders=[("o1", "ORDER_STATE_FILLED"), ("o2", DENIED)], fills=[("o1", "t1")],
    applies=[("a1", "APPLY_STATE_COMPLETED")], buckets=["0", "1"],
)  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger")
    for kind, name, answer in (
        ("submission", "r1", "s1"), ("order", "o1", "ORDER_STATE_ACCEPTED"), ("order", "o2", DENIED),
        ("apply", "a1", ""), ("record", "0", ""), ("record", "1", ""),
    ):  # fmt: skip
        made.write(Entry(kind, name, answer, 1.0, 2.0))
    made.write_freeze(Freeze(3.0, 9.0))
    yield made
    made.close()


def test_what_holds_is_nothing(ledger: Ledger) -> None:
    assert judge(ledger, WHOLE) == Judgement()


@pytest.mark.parametrize(
    ("held", "lost"),
    [
        (replace(WHOLE, submissions=[]), "submission r1"),
        (replace(WHOLE, orders=[("o2", DENIED)]), "order o1"),
        (replace(WHOLE, orders=[("o1", "X"), ("o2", "X")]), f"order o2 was {DENIED}, is X"),
        (replace(WHOLE, applies=[]), "apply a1"),
        (replace(WHOLE, buckets=["0"]), "bucket 1"),
    ],
)
def test_what_is_lost(ledger: Ledger, held: Held, lost: str) -> None:
    assert judge(ledger, held).lost == [lost]


@pytest.mark.parametrize(
    ("held", "doubled"),
    [
        (replace(WHOLE, submissions=[("r1", "s2")]), "submission r1: s1, s2"),
        (replace(WHOLE, strategies=["s1", "s2"]), "strategy s2"),
        (replace(WHOLE, orders=[*WHOLE.orders, ("o1", "ORDER_STATE_FILLED")]), "order o1"),
        (replace(WHOLE, fills=[("o1", "t1"), ("o1", "t2")]), "fill of o1"),
        (replace(WHOLE, fills=[("o1", "t1"), ("o3", "t1")]), "trade t1"),
        (replace(WHOLE, buckets=["0", "1", "1"]), "bucket 1"),
    ],
)
def test_what_is_doubled(ledger: Ledger, held: Held, doubled: str) -> None:
    assert judge(ledger, held).doubled == [doubled]


def test_what_a_gate_denied_is_nowhere(ledger: Ledger) -> None:
    assert judge(ledger, replace(WHOLE, orders=WHOLE.orders[:1])) == Judgement()


def test_what_passed_in_a_freeze(ledger: Ledger) -> None:
    orders = list(WHOLE.orders)
    for name, asked_s, answered_s, state in (("in", 4.0, 5.0, "ORDER_STATE_ACCEPTED"), ("out", 4.0, 5.0, DENIED)):
        ledger.write(Entry("order", name, state, asked_s, answered_s))
        orders.append((name, state))
    for name, asked_s, answered_s in (("before", 2.5, 5.0), ("after", 8.0, 9.5)):
        ledger.write(Entry("order", name, "ORDER_STATE_ACCEPTED", asked_s, answered_s))
        orders.append((name, "ORDER_STATE_FILLED"))
    assert judge(ledger, replace(WHOLE, orders=orders)) == Judgement(passed_in_freeze=["order in"])
