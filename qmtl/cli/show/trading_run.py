"""What a running strategy is told, in one line each: for people, and as JSON. Pure."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal

from qmtl.core.decimals import format_decimal
from qmtl.core.fills import FillEvent
from qmtl.core.identity.canonical import Json
from qmtl.sdk.execution.port import DeniedOrder
from qmtl.sdk.mesh.session.events import Awaiting, BarDone, CaughtUp, SessionBegun, SessionEvent
from qmtl.sdk.reports.documents import iso

NAMES: dict[type[SessionEvent], str] = {
    Awaiting: "awaiting",
    SessionBegun: "session",
    BarDone: "bar",
    FillEvent: "fill",
    DeniedOrder: "denied",
    CaughtUp: "caught_up",
}


def run_line(event: SessionEvent) -> str:
    """An event for people: its data time, what it is, what it says."""
    match event:
        case Awaiting():
            wait = f"waiting {event.limit_s:g} s for an operator to activate it"
            return f"{wait}: qmtl world activate {event.world_id} {event.strategy_id} --stage paper"
        case SessionBegun():
            until = f" to {iso(event.end_ns)}" if event.end_ns else ""
            where = f"{'LIVE' if event.is_live else 'on paper'} in account {event.account}"
            return f"{iso(event.start_ns)}{until}  session {event.session_id}, {where}"
        case BarDone():
            return f"{iso(event.time_ns)}  bar     {event.bars}"
        case FillEvent():
            side = "bought" if event.quantity > 0 else "sold"
            told = f"{format_decimal(abs(event.quantity))} {event.symbol} at {format_decimal(event.price)}"
            return f"{iso(event.time_ns)}  {side:<6}  {told}, fee {format_decimal(event.fee)} {event.fee_currency}"
        case DeniedOrder():
            why = f": {event.message}" if event.message else ""
            return f"{iso(event.time_ns)}  denied  {event.symbol} by {event.rule}{why}"
        case CaughtUp():
            return f"{iso(event.time_ns)}  late    {event.bars} closes before were followed, not acted on"


def run_document(event: SessionEvent) -> dict[str, Json]:
    """An event as JSON: its kind and fields, times in ISO 8601, money as text."""
    found: dict[str, Json] = {"event": NAMES[type(event)]}
    for name, value in asdict(event).items():
        if isinstance(value, Decimal):
            found[name] = format_decimal(value)
        elif name.endswith("_ns"):
            found[name.removesuffix("_ns")] = iso(value) if value else None
        else:
            found[name] = value if isinstance(value, bool | int | float) else f"{value}"
    return found
