"""A seamless of the tests: its contract over a real wire, bars from a list that the test extends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from brokerage.domain.market.bars import Bar
from brokerage.instants import ns_of, timestamp
from qmtl.core.errors import NotFound
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.data.v1 import service_pb2 as pb
from qmtl.data.v1 import service_pb2_grpc as rpc

PLANNED = dict.fromkeys(
    {method.name for method in pb.DESCRIPTOR.services_by_name["DataService"].methods}
    - {"ListPresets", "Subscribe", "ConfirmBars"},
    "nobody: a test's feed",
)
PRESET = datapb.Preset(name="demo", symbol="AAPL", interval_s=60, replay=True, available=True)
SESSION = "session-1"


class Feed(rpc.DataServiceServicer):
    """One replay session. `push` makes bars flow; every subscriber gets those that start at or after its `from`."""

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self.ended = False
        self.asked: list[int] = []
        self.confirmed: list[int] = []
        self._more = asyncio.Event()

    def push(self, *bars: Bar) -> None:
        self.bars += bars
        self._wake()

    def end(self) -> None:
        self.ended = True
        self._wake()

    async def ListPresets(self, request: pb.ListPresetsRequest, context: Any) -> pb.ListPresetsResponse:
        return pb.ListPresetsResponse(presets=[PRESET])

    async def Subscribe(self, request: pb.SubscribeRequest, context: Any) -> AsyncIterator[pb.SubscribeResponse]:
        if request.session_id != SESSION:
            raise NotFound("E_DATA_SESSION_UNKNOWN", f"no session {request.session_id}")
        start = _from_ns(request)
        self.asked.append(start)
        sent = 0
        while True:
            more = self._more
            fresh = [bar for bar in self.bars[sent:] if bar.start_ns >= start]
            sent = len(self.bars)
            if fresh or self.ended:
                mark = timestamp(fresh[-1].end_ns) if fresh else None
                yield pb.SubscribeResponse(
                    bars=[_message(bar) for bar in fresh], watermark=mark, end_of_session=self.ended
                )
            if self.ended:
                return
            await more.wait()

    async def ConfirmBars(self, request: pb.ConfirmBarsRequest, context: Any) -> pb.ConfirmBarsResponse:
        self.confirmed.append(ns_of(request.through))
        return pb.ConfirmBarsResponse()

    def _wake(self) -> None:
        more, self._more = self._more, asyncio.Event()
        more.set()


def _from_ns(request: pb.SubscribeRequest) -> int:
    return next((ns_of(value) for field, value in request.ListFields() if field.name == "from"), 0)


def _message(bar: Bar) -> datapb.Bar:
    return datapb.Bar(
        open_time=timestamp(bar.start_ns),
        close_time=timestamp(bar.end_ns),
        open=f"{bar.open / 100:.2f}",
        high=f"{bar.high / 100:.2f}",
        low=f"{bar.low / 100:.2f}",
        close=f"{bar.close / 100:.2f}",
        volume=str(bar.volume),
    )
