"""Dead letters: a message nobody could process goes to the DLQ stream whole, with the reason and where it came from.

Its original headers travel along, so a replay publishes the same message under the same message id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg

from controlbus import metrics
from controlbus.connection import Link
from controlbus.events import MESSAGE_ID
from controlbus.subjects import dlq_subject

STREAM, SUBJECT, SEQUENCE = "Qmtl-Stream", "Qmtl-Subject", "Qmtl-Sequence"
ORIGINAL_ID, CONSUMER, DELIVERIES, REASON = "Qmtl-Message-Id", "Qmtl-Consumer", "Qmtl-Deliveries", "Qmtl-Reason"
OWN = frozenset({STREAM, SUBJECT, SEQUENCE, ORIGINAL_ID, CONSUMER, DELIVERIES, REASON})
REASON_MAX = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """Why a message is given up: a bounded `cause` for metrics, and the reason in words."""

    cause: str
    reason: str


async def bury(link: Link, consumer: str, message: Msg, letter: Letter) -> None:
    """Store the message in the DLQ. Raises Unavailable when the broker did not take it: leave the original unacked."""
    place = message.metadata
    headers = {name: value for name, value in (message.headers or {}).items() if name != MESSAGE_ID}
    original_id = (message.headers or {}).get(MESSAGE_ID, "")
    headers |= {
        STREAM: place.stream,
        SUBJECT: message.subject,
        SEQUENCE: str(place.sequence.stream),
        ORIGINAL_ID: original_id,
        CONSUMER: consumer,
        DELIVERIES: str(place.num_delivered),
        REASON: one_line(letter.reason),
        MESSAGE_ID: f"dlq/{consumer}/{place.stream}/{place.sequence.stream}",
    }
    await link.publish(dlq_subject(place.stream, consumer), message.data, headers)
    metrics.DEAD_LETTERED.labels(link.service, consumer, letter.cause).inc()


def original_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers the message had before it was buried."""
    kept = {name: value for name, value in headers.items() if name not in OWN and name != MESSAGE_ID}
    if headers.get(ORIGINAL_ID):
        kept[MESSAGE_ID] = headers[ORIGINAL_ID]
    return kept


def one_line(reason: str) -> str:
    """A header value: printable, on one line, bounded."""
    return "".join(char if char.isprintable() else " " for char in reason)[:REASON_MAX] or "no reason given"
