"""Nonces that count from one, for a key that nobody else has."""

from __future__ import annotations


class Counting:
    """One key's nonces in memory."""

    def __init__(self) -> None:
        self.last = 0

    async def reserve(self) -> None:
        """There is always one."""

    def next(self) -> int:
        self.last += 1
        return self.last
