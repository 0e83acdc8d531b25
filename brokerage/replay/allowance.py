"""What one replay may take: so much work."""

from __future__ import annotations

from qmtl.core.errors import refused


class Allowance:
    """Looks at closes and at open orders that a replay may make."""

    def __init__(self, looks_max: int) -> None:
        self._looks_max, self._looks = looks_max, 0

    def spend(self, orders: int) -> None:
        """Count a close at which so many orders are looked at. Raises InvalidRequest (E_TOO_LARGE) beyond them."""
        self._looks += 1 + orders
        if self._looks > self._looks_max:
            most = f"at most {self._looks_max}: fewer bars, or fewer orders that are open for long"
            raise refused("E_TOO_LARGE", "orders", f"{self._looks} looks at open orders and closes or more", most)
