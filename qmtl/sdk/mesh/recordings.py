"""What a data session was told, played again: its bars in their order, and which of them came late.

A strategy that is run over them locally decides where the recorded run could: not at bars that came with newer ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from brokerage.domain.market.instrument import Instrument
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotFound, QmtlError, Unavailable, refused
from qmtl.core.identity.canonical import digest
from qmtl.core.instants import NS_PER_S, from_ns, to_ns
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.series import Outputs
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.data_clock import bars_of
from qmtl.sdk.mesh.history import WorldData, warm_up_request
from qmtl.sdk.mesh.instruments import instrument_of
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.bars import LiveBar, bar_from_proto, subscription
from qmtl.sdk.strategy.assembly import Assembled, assemble
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.sdk.streams.features import bind_features
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import session_pb2 as sessionpb

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSession:
    """What a session was told of each preset from `start` on, after the history before it.

    `history` is what is known of it now. `late_ns`: the closes that it was told of together with later ones.
    `instruments`: those of its symbols that the mesh knows. `presets`: of `bars`, in their order.
    """

    session_id: str
    start: datetime
    history: tuple[Bars, ...]
    bars: tuple[Bars, ...]
    late_ns: frozenset[int]
    instruments: tuple[Instrument, ...] = ()
    presets: tuple[str, ...] = ()

    def until(self, end: datetime) -> RecordedSession:
        """The session without the bars that close after `end`."""
        kept = [one.between(None, to_ns(end) - one.interval_s * NS_PER_S + 1) for one in self.bars]
        return replace(self, bars=tuple(kept))

    def replay(
        self,
        strategy: Strategy,
        terms: AccountTerms | None = None,
        *,
        features: Mapping[str, pl.DataFrame] | None = None,
    ) -> RunResult:
        """Run a strategy over the recorded bars as the recorded session could have: it starts at the session's start,
        and at a late close nothing is decided. Raises what Runner.backtest does.
        """
        assembled = assemble(strategy)
        bind_features(assembled.dag, features or {})
        return self.replay_with_outputs(assembled, terms)[0]

    def replay_with_outputs(self, assembled: Assembled, terms: AccountTerms | None = None) -> tuple[RunResult, Outputs]:
        """As `replay`, and every node's values over history and recorded bars."""
        whole = [_joined(before, after) for before, after in zip(self.history, self.bars, strict=True)]
        base = terms or AccountTerms()
        given = {one.symbol for one in base.instruments}
        known = tuple(one for one in self.instruments if one.symbol not in given)
        terms = replace(base, start=self.start, late=self.late_ns, instruments=(*base.instruments, *known))
        outputs = batch_outputs(assembled.dag, whole)
        return replay(assembled, whole, terms, outputs=outputs), outputs


async def read_recording(
    gateway: Gateway, world: str, fingerprints: Sequence[str], recorded_session: str = ""
) -> RecordedSession:
    """Play recordings of one session in a world of the caller's, one of each preset, and gather what comes.

    Raises NotFound (E_ARTIFACT_UNKNOWN), InvalidRequest (E_DATA_SESSION), PermissionDenied.
    """
    if not fingerprints:
        raise refused("E_FIELD", "fingerprints", "none", "one recording of each preset")
    name = f"recorded-{digest(' '.join([world, recorded_session, *sorted(fingerprints)]).encode())[-16:]}"
    request = datasessionservicepb.OpenDataSessionRequest(
        session_id=name, world_id=world, recordings=fingerprints, recorded_session_id=recorded_session
    )
    async with open_client(gateway) as client:
        retrying = RetryingClient.open(client, gateway.outage_s_max, SystemClock())
        opened = await retrying.ask(lambda: client.data_sessions.OpenDataSession(request), "data session")
        session, data = opened.session, WorldData(retrying, world)
        names = [member.preset for member in session.members] or [session.preset]
        market = await data.members(names)
        told, late_ns = await _told(retrying, session)
        before = sessionpb.Session(session_id=session.session_id, world_id=world, start=session.start_time)
        history = await data.fetch(market, warm_up_request(before))
        only = names[0] if len(names) == 1 else ""
        bars = tuple(
            bars_of([bar for bar in told if (bar.preset or only) == member.name], member) for member in market.members
        )
        start = from_ns(ns_from_proto(session.start_time, "session.start_time"))
        instruments = await _instruments(retrying, {member.symbol for member in market.members})
        return RecordedSession(
            session.recorded_session_id, start, history.bars, bars, late_ns, instruments, tuple(names)
        )


async def _instruments(retrying: RetryingClient, symbols: Iterable[str]) -> tuple[Instrument, ...]:
    """The properties of symbols, of those that the mesh can trade."""
    found = []
    for symbol in sorted(symbols):
        with contextlib.suppress(NotFound):
            found.append(await instrument_of(retrying, symbol))
    return tuple(found)


async def _told(retrying: RetryingClient, session: datasessionspb.DataSession) -> tuple[list[LiveBar], frozenset[int]]:
    """Every bar of a session, in order, and the closes that were told late."""
    told, late_ns = dict[tuple[int, str], LiveBar](), set[int]()
    position = ns_from_proto(session.start_time, "session.start_time")
    while True:
        try:
            request = subscription(session.preset, session.session_id, position)
            with scoped(retrying.client.data.Subscribe(request)) as replies:
                async for reply in replies:
                    retrying.outage.answered()
                    reached_ns = ns_from_proto(reply.reached, "reached")
                    for bar in map(bar_from_proto, reply.bars):
                        told.setdefault((bar.open_ns, bar.preset), bar)
                        if bar.close_ns < reached_ns:
                            late_ns.add(bar.close_ns)
                    position = ns_from_proto(reply.watermark, "watermark")
                    if reply.end_of_session:
                        return list(told.values()), frozenset(late_ns)
            raise Unavailable("E_STREAM_ENDED", "the stream of bars ended before the recording did")
        except QmtlError as error:
            await retrying.outage.failed(error, "bars")


def _joined(before: Bars, after: Bars) -> Bars:
    """Bars and those that follow them; what stands in both is as it was told."""
    first = before.between(None, int(after.open_ns[0])) if len(after) else before
    times, rows = (first.open_ns, after.open_ns), (first.values, after.values)
    return replace(after, open_ns=np.concatenate(times), values=np.concatenate(rows))
