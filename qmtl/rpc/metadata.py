"""Names of the metadata keys that every call of the mesh may carry."""

from __future__ import annotations

from typing import Final

USER_KEY: Final = "authorization"
SERVICE_KEY: Final = "x-qmtl-service"
REQUEST_ID_KEY: Final = "x-request-id"
CORRELATION_ID_KEY: Final = "x-correlation-id"
