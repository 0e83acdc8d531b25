"""Event streams open at this gateway: how many there are, and until when each may go on."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from gateway.events.tokens import StreamGrant
from qmtl.core.errors import Exhausted


class Subscribers:
    """Streams open at this gateway: how many, and until when each may go on."""

    def __init__(self) -> None:
        self.count = 0
        self._readers: Counter[str] = Counter()
        self._until: dict[str, datetime] = {}

    def enter(self, stream: StreamGrant, most: int) -> None:
        """Raises Exhausted (E_SUBSCRIBERS)."""
        if self.count >= most:
            raise Exhausted("E_SUBSCRIBERS", f"{self.count} event streams are open", retry_after_s=5.0)
        self.count += 1
        self._readers[stream.stream_id] += 1
        self.renew(stream.stream_id, stream.expires_at, opening=True)

    def leave(self, stream: StreamGrant) -> None:
        """The stream is over."""
        self.count -= 1
        self._readers[stream.stream_id] -= 1
        if not self._readers[stream.stream_id]:
            del self._readers[stream.stream_id], self._until[stream.stream_id]

    def renew(self, stream_id: str, until: datetime, *, opening: bool = False) -> None:
        """A stream that is open here may go on until an instant."""
        if opening or stream_id in self._until:
            self._until[stream_id] = max(until, self._until.get(stream_id, until))

    def over(self, stream_id: str, now: datetime) -> bool:
        """Whether a stream's token has expired."""
        return now >= self._until[stream_id]
