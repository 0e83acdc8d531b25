"""A campaign loop over world w1 in a process of its own: `python -m ... ADDRESS`, tokens in the environment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from qmtl.cli.commands.campaign.loop_lease import LoopLease
from qmtl.cli.commands.campaign.scheduling import LoopStubs, keep_ticking
from qmtl.rpc.client.channel import connect
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc


async def run(address: str) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    tokens = {name: os.environ[f"{name.upper()}_TOKEN"] for name in ("user", "service")}
    async with connect(address, user_token=lambda: tokens["user"], service_token=lambda: tokens["service"]) as channel:
        stub = campaignrpc.CampaignServiceStub(channel)
        stubs = LoopStubs(stub, activationrpc.ActivationServiceStub(channel))
        await keep_ticking(stubs, LoopLease(stub, "w1"), 1.0, once=False, allow_live=True)


if __name__ == "__main__":
    try:
        asyncio.run(run(sys.argv[1]))
    except asyncio.CancelledError:
        sys.exit(0)
