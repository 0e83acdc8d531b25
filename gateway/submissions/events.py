"""What a step of a strategy tells: its control event in the outbox, and signals inside the process."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from controlbus.events.control_event import ControlEventDraft
from gateway.submissions.domain import Step
from gateway.submissions.tables import OUTBOX
from gateway.submissions.wire import STATE_NUMBERS
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.sql.database import signal

TODO_SIGNAL = "submissions"  # raised when there is work for a worker


def strategy_signal(strategy_id: str) -> str:
    """Raised when a strategy changed."""
    return f"strategy/{strategy_id}"


def publish_steps(conn: Connection, strategy_id: str, world_ids: Sequence[str], steps: Sequence[Step]) -> list[int]:
    """Queue the events of steps with the transaction; their revisions, which the caller stores."""
    drafts = [
        ControlEventDraft(
            "gateway",
            strategy_id,
            controlpb.StrategyStateChanged(
                strategy_id=strategy_id, state=STATE_NUMBERS[step.state], reason=step.reason, message=step.message,
                world_ids=world_ids,
            ),
            step.at,
        )
        for step in steps
    ]  # fmt: skip
    signal(conn, strategy_signal(strategy_id))
    return [event.revision for event in OUTBOX.append_all(conn, drafts)]
