"""A caller's explicit consent to live trading: metadata `x-allow-live: true`."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.errors import PermissionDenied

ALLOW_LIVE = "x-allow-live"
Metadata = Iterable[tuple[str, str | bytes]] | None


def allows_live(metadata: Metadata) -> bool:
    """Whether the call's metadata consents to live trading."""
    return any(key == ALLOW_LIVE and value == "true" for key, value in metadata or ())


def require_live_consent(metadata: Metadata, what: str) -> None:
    """Raises PermissionDenied (E_LIVE_GUARD)."""
    if not allows_live(metadata):
        raise PermissionDenied(
            "E_LIVE_GUARD", f"{what} can cause live trading", hint=f"send metadata {ALLOW_LIVE}: true if that is meant"
        )
