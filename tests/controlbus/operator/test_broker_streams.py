"""The broker's streams as the operator sees them."""

from __future__ import annotations

from qmtl.control.v1 import broker_stream_service_pb2 as brokerstreamservicepb
from tests.controlbus.operator.serving import ServedBus
from tests.controlbus.states import publish, unique

KIND = "policy_updated"


async def test_streams_show_size_and_lag(served: ServedBus) -> None:
    key, durable = unique("w"), unique("d")
    async with served.bus.subscribe([KIND], keys=[key], durable=durable, in_hand_max=2) as deliveries:
        for revision in range(1, 6):
            await publish(served.bus, key, revision)
        await (await anext(deliveries)).ack()
        streams = {
            found.name: found
            for found in (await served.stubs().streams.GetStreams(brokerstreamservicepb.GetStreamsRequest())).streams
        }
        assert set(streams) >= {
            "CONTROL",
            "INGEST",
            "ORDERS",
            "FILLS",
            "DATA_RAW",
            "DATA_INDICATOR",
            "DATA_TRADE",
            "DLQ",
        }
        control = streams["CONTROL"]
        assert control.messages >= 5
        assert control.last_stream_sequence >= control.first_stream_sequence
        (consumer,) = (found for found in control.consumers if found.name == durable)
        assert consumer.pending + consumer.ack_pending >= 3
