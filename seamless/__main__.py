"""Composition root of seamless: `python -m seamless`."""

import asyncio
from contextlib import AsyncExitStack

from controlbus.database import Database
from qmtl.data.v1 import service_pb2 as servicepb
from qmtl.data.v1 import service_pb2_grpc as datarpc
from qmtl.rpc.run import Runtime, start
from qmtl.world.v1 import service_pb2_grpc as worldrpc
from seamless.access import SessionAccess
from seamless.catalogue import Catalogue
from seamless.config import Settings
from seamless.fetch import Fetcher
from seamless.files import Archive
from seamless.measures import Measures
from seamless.presets import presets
from seamless.service import PLANNED, DataServicer
from seamless.sessions import Sessions

SERVICE = "seamless"


async def compose(runtime: Runtime, settings: Settings) -> None:
    """Open the store, make ready what is sealed, serve, and ingest beside it."""
    async with AsyncExitStack() as stack:
        db = Database(settings.database_url, synchronous=settings.sqlite_synchronous or "FULL")
        stack.push_async_callback(db.close)
        await db.migrate("seamless:migrations")
        measures = Measures(runtime.metrics.registry)
        catalogue = Catalogue(presets(settings), db, Archive(settings.data_path), measures)
        await catalogue.load()
        sessions = Sessions(catalogue, db, runtime.clock, settings, measures)
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


async def keep_ingested(catalogue: Catalogue) -> None:
    """Ingest once; what is sealed stays, so there is nothing to do until the next start."""
    await catalogue.ingest()
    await asyncio.Event().wait()


def main() -> None:
    """Read the settings and run."""
    start(compose, Settings, SERVICE)


if __name__ == "__main__":
    main()
