"""Dead letters: a message nobody could process goes to the DLQ stream whole, with the reason and where it came from.

Its original headers travel along, so a replay publishes the same event; other consumers drop it by its revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg

from controlbus.events.control_event import MESSAGE_ID
from controlbus.jetstream.connection import Link
from controlbus.jetstream.streams import DLQ
from controlbus.jetstream.subjects import dlq_subject
from qmtl.control.v1 import dead_letter_service_pb2 as deadletterservicepb
from qmtl.core.errors import NotFound

STREAM, SUBJECT, SEQUENCE = "Qmtl-Stream", "Qmtl-Subject", "Qmtl-Sequence"
ORIGINAL_ID, CONSUMER, DELIVERIES, REASON = "Qmtl-Message-Id", "Qmtl-Consumer", "Qmtl-Deliveries", "Qmtl-Reason"
OWN = frozenset({STREAM, SUBJECT, SEQUENCE, ORIGINAL_ID, CONSUMER, DELIVERIES, REASON})
REASON_MAX = 500
SCAN_MAX = 1000


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
    link.metrics.dead_lettered.labels(consumer, letter.cause).inc()


async def letters(
    link: Link, before: int | None, limit: int, bytes_max: int
) -> tuple[list[deadletterservicepb.DeadLetter], int]:
    """Dead letters older than a sequence (None: from the newest), newest first, and the sequence to go on before.

    At most `limit` of them and `bytes_max` in all, but one at least.

    Looks at `SCAN_MAX` places at most, since replayed letters leave holes; 0 to go on before: there is nothing older.
    Raises Unavailable.
    """
    state = (await link.ask(link.js.stream_info(DLQ.name))).state
    place = state.last_seq if before is None else min(before - 1, state.last_seq)
    last = max(place - SCAN_MAX, state.first_seq - 1, 0)
    found: list[deadletterservicepb.DeadLetter] = []
    held = 0
    while place > last and len(found) < limit:
        letter = await _get(link, place)
        if letter is not None:
            held += letter[0].ByteSize()
            if found and held > bytes_max:
                break
            found.append(letter[0])
        place -= 1
    return found, place + 1 if place >= max(state.first_seq, 1) else 0


async def replay(link: Link, sequence: int) -> int:
    """Publish a dead letter to its original subject, then remove it; returns the new sequence in its stream.

    A repeated replay of one letter is stored once. Raises NotFound when it is not kept (any more), Unavailable.
    """
    found = await _get(link, sequence)
    if found is None:
        raise NotFound("E_DEAD_LETTER_UNKNOWN", f"no dead letter has sequence {sequence}", hint="list them again")
    letter, headers = found
    head = {name: value for name, value in headers.items() if name not in OWN and name != MESSAGE_ID}
    head[MESSAGE_ID] = f"replay/{sequence}/{letter.original_message_id}"
    stored = await link.publish(letter.original_subject, letter.body, head)
    await link.find(link.js.delete_msg(DLQ.name, sequence))
    return stored


async def _get(link: Link, sequence: int) -> tuple[deadletterservicepb.DeadLetter, Mapping[str, str]] | None:
    raw = await link.find(link.js.get_msg(DLQ.name, seq=sequence))
    if raw is None:
        return None
    headers: Mapping[str, str] = raw.headers or {}
    letter = deadletterservicepb.DeadLetter(
        dead_letter_sequence=sequence,
        original_stream=headers.get(STREAM, ""),
        original_subject=headers.get(SUBJECT, ""),
        original_message_id=headers.get(ORIGINAL_ID, ""),
        consumer=headers.get(CONSUMER, ""),
        message=headers.get(REASON, ""),
        deliveries=int(headers.get(DELIVERIES, "0")),
        body=raw.data or b"",
    )
    if raw.time is not None:
        letter.time.FromDatetime(raw.time)
    return letter, headers


def one_line(reason: str) -> str:
    """A header value: printable, on one line, bounded."""
    text = "".join(char if char.isprintable() and char.isascii() else " " for char in reason)
    return text[:REASON_MAX].strip() or "no reason given"
