"""Broker subjects: one place that spells them, so that a key can never widen, split or collide with another.

Key tokens are injective: `[A-Za-z0-9_-]` is kept, any other UTF-8 byte becomes `=XX`, `/` separates tokens, an empty
part is a lone `=`. Very long keys become `=H<hash>`. Readers dispatch by payload, never by parsing a subject.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from qmtl.core.errors import InvalidRequest, Violation

CONTROL = "qmtl.control"
INGEST = "qmtl.ingest"
ORDERS = "qmtl.orders"
FILLS = "qmtl.fills"
DATA = "qmtl.data"
DLQ = "qmtl.dlq"

DATA_CLASSES = ("raw", "indicator", "trade")
KEY_SUBJECT_MAX = 512  # the broker's control line is 4096 bytes and carries the reply inbox too
_KEPT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_PLAIN = re.compile("[A-Za-z0-9_-]+")


def token(text: str) -> str:
    """One subject token for any text; different texts give different tokens."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(chr(byte) if byte in _KEPT else f"={byte:02X}" for byte in text.encode()) or "="


def key_tokens(key: str) -> str:
    """The tokens of a key, `/` between parts becoming `.`. Raises InvalidRequest for an empty key."""
    if not key:
        raise InvalidRequest(
            "E_BUS_KEY", "key is empty", violations=[Violation("key", "empty", "at least one character")]
        )
    tokens = ".".join(token(part) for part in key.split("/"))
    if len(tokens) <= KEY_SUBJECT_MAX:
        return tokens
    return "=H" + blake2b(key.encode(), digest_size=32).hexdigest()


def control_subject(payload_type: str, key: str) -> str:
    """Where events of one payload type and key go."""
    return f"{CONTROL}.{payload_type}.{key_tokens(key)}"


def control_filter(payload_type: str, key: str | None = None) -> str:
    """A subscription filter: one key of a type, or all of them."""
    return f"{CONTROL}.{payload_type}.>" if key is None else control_subject(payload_type, key)


def ingest_subject(strategy_id: str) -> str:
    return f"{INGEST}.{key_tokens(strategy_id)}"


def orders_subject(world_id: str, account: str) -> str:
    return f"{ORDERS}.{token(world_id)}.{token(account)}"


def fills_subject(world_id: str, account: str) -> str:
    return f"{FILLS}.{token(world_id)}.{token(account)}"


def data_subject(data_class: str, world_id: str, domain: str, compute_key: str) -> str:
    """The one subject of a ComputeKey ("blake3:<64 hex>"). Raises InvalidRequest for an unknown class or a bad key."""
    if data_class not in DATA_CLASSES:
        want = "one of " + ", ".join(DATA_CLASSES)
        raise InvalidRequest(
            "E_BUS_CLASS", f"unknown data class {data_class!r}", violations=[Violation("class", data_class, want)]
        )
    return f"{DATA}.{data_class}.{token(world_id)}.{token(domain)}.{compute_digest(compute_key)[:16]}"


def compute_digest(compute_key: str) -> str:
    """The hex of a ComputeKey. Raises InvalidRequest (E_BUS_KEY)."""
    digest = compute_key.removeprefix("blake3:")
    if len(digest) != 64 or any(char not in "0123456789abcdef" for char in digest):
        raise InvalidRequest(
            "E_BUS_KEY",
            f"not a compute key: {compute_key!r}",
            violations=[Violation("compute_key", compute_key, "blake3:<64 hex>")],
        )
    return digest


def dlq_subject(stream: str, consumer: str) -> str:
    return f"{DLQ}.{token(stream)}.{token(consumer)}"
