"""BrokerStreamService: the broker's streams and how far behind their consumers are, for operators."""

from __future__ import annotations

from typing import Final

from nats.js import api

from controlbus.bus import Bus
from controlbus.jetstream import streams
from qmtl.control.v1 import broker_stream_service_pb2 as brokerstreamservicepb
from qmtl.control.v1 import broker_stream_service_pb2_grpc as brokerstreamrpc
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import require_role

CONSUMERS_MAX: Final = 1000


class BrokerStreamService(brokerstreamrpc.BrokerStreamServiceServicer):
    """Asks the broker."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def GetStreams(
        self, request: brokerstreamservicepb.GetStreamsRequest, context: object
    ) -> brokerstreamservicepb.GetStreamsResponse:
        require_role(Role.READER)
        return brokerstreamservicepb.GetStreamsResponse(
            streams=[await self._stream(spec.name) for spec in streams.STREAMS]
        )

    async def _stream(self, name: str) -> brokerstreamservicepb.StreamInfo:
        link = self._bus.link
        info = await link.ask(link.js.stream_info(name))
        consumers: list[api.ConsumerInfo] = []
        while len(consumers) < CONSUMERS_MAX:
            page = await link.ask(link.js.consumers_info(name, offset=len(consumers)))
            consumers += page
            if not page or len(consumers) >= info.state.consumer_count:
                break
        return brokerstreamservicepb.StreamInfo(
            name=name,
            messages=info.state.messages,
            bytes=info.state.bytes,
            first_stream_sequence=info.state.first_seq,
            last_stream_sequence=info.state.last_seq,
            replicas=info.config.num_replicas or 1,
            consumers=[_consumer(each) for each in consumers if each.config.durable_name],
        )


def _consumer(info: api.ConsumerInfo) -> brokerstreamservicepb.ConsumerInfo:
    return brokerstreamservicepb.ConsumerInfo(
        name=info.name,
        pending=info.num_pending or 0,
        ack_pending=info.num_ack_pending or 0,
        redelivered=info.num_redelivered or 0,
    )
