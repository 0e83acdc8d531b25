"""Names of the metadata keys that every call of the mesh may carry."""

from __future__ import annotations

from typing import Final

USER_KEY: Final = "authorization"
SERVICE_KEY: Final = "x-qmtl-service"
REQUEST_ID_KEY: Final = "x-request-id"
CORRELATION_ID_KEY: Final = "x-correlation-id"
TOTAL_BYTES_KEY: Final = "x-total-bytes"
WORLD_IDS_KEY: Final = "x-world-ids"
PAYLOAD_WANTED_KEY: Final = "x-payload-wanted"


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Metadata that sends a token of its own kind as `authorization`, in place of the channel's user token."""
    return ((USER_KEY, f"Bearer {token}"),)
