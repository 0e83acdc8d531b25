"""What a running strategy is told, in one line each, and as JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import get_args

from qmtl.cli.show.trading_run import NAMES, run_document, run_line
from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.mesh.session.events import Awaiting, BarDone, CaughtUp, SessionBegun, SessionEvent

NOON = 1_640_433_600_000_000_000
EVENTS: list[tuple[SessionEvent, str]] = [
    (
        Awaiting("s-1", "w", 60.0),
        "waiting 60 s for an operator to activate it: qmtl world activate w s-1 --stage paper",
    ),
    (SessionBegun("p-1", "a", True, NOON, 0), "2021-12-25T12:00:00Z  session p-1, LIVE in account a"),
    (BarDone(NOON, 3, NOON, 0), "2021-12-25T12:00:00Z  bar     3"),
    (
        FillEvent("X", Decimal("-0.50"), Decimal("1E+2"), Decimal("0.05"), "USD", NOON, "t"),
        "2021-12-25T12:00:00Z  sold    0.5 X at 100, fee 0.05 USD",
    ),
    (DeniedOrder("o", "X", "LOT", "too small", NOON), "2021-12-25T12:00:00Z  denied  X by LOT: too small"),
    (CaughtUp(NOON, 20), "2021-12-25T12:00:00Z  late    20 closes before were followed, not acted on"),
]


def test_every_event_is_one_line_and_one_document() -> None:
    assert {type(event) for event, _ in EVENTS} == set(NAMES) == set(get_args(SessionEvent))
    for event, line in EVENTS:
        assert run_line(event) == line
        assert json.loads(json.dumps(run_document(event)))["event"] == NAMES[type(event)]


def test_documents_have_exact_money_and_readable_times() -> None:
    assert run_document(EVENTS[3][0]) == {
        "event": "fill", "symbol": "X", "quantity": "-0.5", "price": "100", "fee": "0.05", "fee_currency": "USD",
        "time": "2021-12-25T12:00:00Z", "booked": None, "trade_id": "t", "account": "",
    }  # fmt: skip
    assert run_document(EVENTS[1][0])["is_live"] is True
    assert run_document(EVENTS[1][0])["end"] is None
