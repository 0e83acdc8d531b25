"""A strategy's place in a replay session: the session plays no bar before the orders of the one before are answered.

The runner is a named follower and confirms each bar once it is done with it; the paper venue does the same on its
side. So bar and order meet as in a local replay whatever the machine's speed, and a process that is killed is waited
for. Whoever says nothing for 30 s is not waited for any more, so a long decision says again where it stands.
"""

from __future__ import annotations

from qmtl.core.errors import NotFound
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.wire.instants import ns_to_proto

KEEP_S = 5.0


class Follower:
    """One follower of one session. `name` is the strategy's id."""

    def __init__(self, retrying: RetryingClient, session_id: str, name: str) -> None:
        self._retrying = retrying
        self._session_id = session_id
        self.name = name
        self._through_ns = 0
        self._leaving = False

    async def confirm(self, through_ns: int, *, leave: bool = False) -> None:
        """Done with every bar up to a watermark; `leave` when done for good."""
        self._through_ns, self._leaving = max(self._through_ns, through_ns), self._leaving or leave
        request = datasessionservicepb.ConfirmBarsRequest(
            session_id=self._session_id, follower=self.name, through=ns_to_proto(self._through_ns), leave=leave
        )
        try:
            await self._retrying.ask(lambda: self._retrying.client.data_sessions.ConfirmBars(request), "confirm bars")
        except NotFound as error:
            if not leave or error.reason != "E_FOLLOWER_UNKNOWN":
                raise
            # gone already: the answer to an earlier attempt was lost

    async def hold(self) -> None:
        """Keep the place while a bar takes long, for ever."""
        while True:
            before_ns = self._through_ns
            await self._retrying.clock.sleep(KEEP_S)
            if before_ns and before_ns == self._through_ns and not self._leaving:
                try:
                    await self.confirm(before_ns)
                except NotFound:
                    if not self._leaving:  # else it has left meanwhile
                        raise
