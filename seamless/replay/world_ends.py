"""Sessions of deleted worlds are closed: nobody may trade on them any more, and they take the place of others.

Only a world that worldservice says is deleted counts; one it does not know may be of a store that was put back.
"""

from __future__ import annotations

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1 import world_service_pb2_grpc as worldrpc
from seamless.live.sessions import LiveSessions
from seamless.replay.sessions import ReplaySessions

LOOK_EVERY_S = 30.0
log = structlog.stdlib.get_logger("qmtl.seamless.replay")


class WorldEnds:
    """Asks worldservice about the worlds whose sessions still play."""

    def __init__(
        self, sessions: ReplaySessions, live: LiveSessions, worlds: worldrpc.WorldServiceAsyncStub, clock: Clock
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._worlds = worlds
        self._clock = clock

    async def run(self) -> None:
        """Look for ever; a world that cannot be asked about now is asked about in the next round."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> int:
        """Close what belongs to deleted worlds; how many sessions."""
        closed = 0
        for world_id in sorted({*await self._sessions.worlds(), *await self._live.worlds()}):
            try:
                reply = await self._worlds.GetWorld(worldservicepb.GetWorldRequest(world_id=world_id))
            except QmtlError as error:
                log.info("world_not_asked_about", world=world_id, reason=error.reason)
                continue
            if reply.world.state == worldpb.WORLD_STATE_DELETED:
                closed += await self._sessions.close_world(world_id)
                closed += await self._live.close_world(world_id)
                log.info("sessions_closed_with_their_world", world=world_id)
        return closed
