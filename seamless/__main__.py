"""Composition root of seamless: `python -m seamless`."""

import asyncio
from contextlib import AsyncExitStack

from qmtl.data.v1 import service_pb2 as servicepb
from qmtl.data.v1 import service_pb2_grpc as datarpc
from qmtl.rpc.run import Runtime, start
from qmtl.sql.database import Database
from qmtl.world.v1 import service_pb2_grpc as worldrpc
from seamless.artifacts.archive import Archive
from seamless.artifacts.inventory import Inventory
from seamless.catalogue.service import PLANNED, DataServicer
from seamless.config import Settings
from seamless.fetch.fetcher import Fetcher
from seamless.metrics import SeamlessMetrics
from seamless.presets.presets import presets
from seamless.replay.access import SessionAccess
from seamless.replay.sessions import ReplaySessions

SERVICE = "seamless"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the store, make ready what is sealed, serve, and ingest beside it."""
    async with AsyncExitStack() as stack:
        db = Database(settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
        stack.push_async_callback(db.close)
        await db.migrate("seamless:migrations")
        measures = SeamlessMetrics(runtime.metrics.registry)
        catalogue = Inventory(presets(settings), db, Archive(settings.data_path), measures)
        await catalogue.load()
        sessions = ReplaySessions(catalogue, db, runtime.clock, settings, measures)
        fetcher = Fetcher(catalogue, sessions, runtime.clock, settings.storage_budget_s, measures)
        access = SessionAccess(worldrpc.WorldServiceStub(runtime.channel("worldservice")), runtime.clock)
        servicer = DataServicer(  # type: ignore[abstract] # planned calls are answered before they reach it
            catalogue, sessions, access, fetcher, db, runtime.clock.now()
        )
        server = runtime.server()
        contract = servicepb.DESCRIPTOR.services_by_name["DataService"]
        server.add(datarpc.add_DataServiceServicer_to_server, servicer, contract, PLANNED)
        runtime.background("ingest", keep_ingested(catalogue))
        runtime.background("replays", sessions.run())
        runtime.background("replays-end", sessions.close_when(server.draining))
        await runtime.serve(server)


async def keep_ingested(catalogue: Inventory) -> None:
    """Ingest once; what is sealed stays, so there is nothing to do until the next start."""
    await catalogue.ingest()
    await asyncio.Event().wait()


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
