"""What the gateway's servicer is composed of; every group of calls reads from this one value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from controlbus.database import Database
from gateway.access import Access
from gateway.canaries import Canaries
from gateway.config import Settings
from gateway.gates import Gates
from gateway.health import Probes
from gateway.peers import Peers
from gateway.queues import Queues
from gateway.streams import StreamDoors
from gateway.worker import Workers
from qmtl.core.clock import Clock


@dataclass(frozen=True, slots=True)
class Doors:
    """The parts of one gateway process."""

    settings: Settings
    clock: Clock
    db: Database
    peers: Peers
    access: Access
    gates: Gates
    canaries: Canaries
    probes: Probes
    streams: StreamDoors
    queues: Queues
    workers: Workers
    draining: asyncio.Event
    started_at: datetime
