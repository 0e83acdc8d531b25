"""Runs as JSON: money as decimal strings, times in ISO 8601."""

from __future__ import annotations

from qmtl.core.decimals import format_decimal
from qmtl.core.identity.canonical import Json
from qmtl.core.instants import from_ns
from qmtl.sdk.execution.run_record import RunResult


def replay_json(replay: RunResult) -> dict[str, Json]:
    """A replay as JSON; the equity curve as two parallel lists."""
    return {
        "currency": replay.currency,
        "metrics": dict(replay.metrics),
        "equity": {
            "time": [iso(time_ns) for time_ns in replay.time_ns.tolist()],
            "value": [format_decimal(value) for value in replay.equity],
        },
        "fills": [
            {
                "time": iso(fill.time_ns),
                "symbol": fill.symbol,
                "quantity": format_decimal(fill.quantity),
                "price": format_decimal(fill.price),
                "fee": format_decimal(fill.fee),
                "fee_currency": fill.fee_currency,
            }
            for fill in replay.fills
        ],
        "denials": [
            {
                "time": iso(denial.time_ns),
                "client_order_id": denial.client_order_id,
                "symbol": denial.symbol,
                "rule": denial.rule,
                "message": denial.message,
            }
            for denial in replay.denials
        ],
        "margin_calls": [{"time": iso(call.time_ns), "message": call.message} for call in replay.margin_calls],
        "margin_warnings": [{"time": iso(one.time_ns), "message": one.message} for one in replay.margin_warnings],
        "ended": replay.ended,
        "assumptions": list(replay.assumptions),
        "undecided": list(replay.undecided),
        "stuck": list(replay.stuck),
    }


def iso(time_ns: int) -> str:
    return from_ns(time_ns).isoformat().replace("+00:00", "Z")
