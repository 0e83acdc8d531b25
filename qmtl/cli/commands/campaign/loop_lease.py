"""The lease of a world's campaign loop, which one process asks the mesh for; its time counts on a monotonic clock."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from qmtl.core.errors import Conflict, DeadlineExceeded, QmtlError, Unavailable
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb

if TYPE_CHECKING:
    from qmtl.world.v1.campaign_service_pb2_grpc import CampaignServiceAsyncStub

RENEW_S = 4.0  # the server gives some 11 s


class LoopLease:
    """One contender for the loop of one world; `holder` is who has it, as the mesh said last."""

    def __init__(self, stub: CampaignServiceAsyncStub, world_id: str) -> None:
        self.world_id = world_id
        self.holder = ""
        self.news = False  # whether the last answer named another holder than the one before
        self._stub = stub
        self._me = uuid.uuid4().hex[:16]
        self._until = self._renewed = 0.0
        self._may_be_ours = False  # also of an answer that nobody waited for

    @property
    def held(self) -> bool:
        """Whether nobody else can have it now."""
        return time.monotonic() < self._until

    async def keep(self) -> bool:
        """Whether it is ours now: taken, or extended where the last time is a while ago.

        While the mesh cannot say, it holds for as long as was said last; then the error is raised.
        """
        asked = time.monotonic()
        if self.held and asked < self._renewed + RENEW_S:
            return True
        request = campaignservicepb.AcquireLoopRequest(world_id=self.world_id, holder=self._me)
        self._may_be_ours = True
        try:
            found = await self._stub.AcquireLoop(request)
        except (Conflict, Unavailable, DeadlineExceeded):
            if not self.held:
                raise
            return True
        self.news, self.holder = found.holder != self.holder, found.holder
        self._until = asked + found.valid_for.ToTimedelta().total_seconds() if found.acquired else 0.0
        self._renewed, self._may_be_ours = asked, found.acquired
        return self.held

    async def release(self) -> None:
        """Give it up, if it may be held; where the mesh does not answer it ends by itself."""
        if self._may_be_ours:
            self._until = 0.0
            with suppress(QmtlError):
                await self._stub.ReleaseLoop(
                    campaignservicepb.ReleaseLoopRequest(world_id=self.world_id, holder=self._me)
                )
