"""What the gateway's servicer is composed of; every group of calls reads from this one value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from gateway.access import Access
from gateway.admission.probes import Probes
from gateway.config import Settings
from gateway.events.subscription import StreamSources
from gateway.orders.activations import HeldActivations
from gateway.orders.canary_shares import CanaryShares
from gateway.peers import Peers
from gateway.queues.catalogue import QueueCatalogue
from gateway.submissions.worker import Workers
from qmtl.core.clock import Clock
from qmtl.sql.database import Database


@dataclass(frozen=True, slots=True)
class Doors:
    """The parts of one gateway process."""

    settings: Settings
    clock: Clock
    db: Database
    peers: Peers
    access: Access
    gates: HeldActivations
    canaries: CanaryShares
    probes: Probes
    streams: StreamSources
    queues: QueueCatalogue
    workers: Workers
    draining: asyncio.Event
    started_at: datetime
