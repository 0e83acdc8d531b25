"""A composition root as small as they get; the tests of run.py start it as a process of its own.

Usage: small_service.py <home> <bind> [otlp=<endpoint>] [dies | ends | cancels | bug | hangs].
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.rpc.run import Runtime, run_service


async def die() -> None:
    await asyncio.sleep(0)
    raise LookupError("the relay is gone")


async def end() -> None:
    await asyncio.sleep(0)


async def cancel() -> None:
    inner = asyncio.create_task(stay())
    inner.cancel()
    await inner


async def stay() -> None:
    await asyncio.Event().wait()


async def main(runtime: Runtime) -> None:
    work = {"dies": die, "ends": end, "cancels": cancel}.get(sys.argv[-1], stay)
    if sys.argv[-1] == "hangs":
        runtime.log.info("waiting for a dependency")
        await stay()
    if sys.argv[-1] == "bug":
        raise ZeroDivisionError("composition is wrong")
    server = runtime.server()
    runtime.channel("worldservice")
    runtime.background("relay", work)
    await runtime.serve(server)


if __name__ == "__main__":
    endpoint = next((word.removeprefix("otlp=") for word in sys.argv if word.startswith("otlp=")), "")
    mesh = MeshSettings(home=Path(sys.argv[1]), otlp_endpoint=endpoint)
    run_service(main, ServiceSettings(service="brokerage", mesh=mesh, bind=sys.argv[2]), "brokerage")
