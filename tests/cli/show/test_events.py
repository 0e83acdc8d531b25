"""Control events in one line each."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict

from qmtl.cli.show.events import event_line, summary
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.world.v1 import activation_pb2 as activationpb


def test_events_are_one_line_each() -> None:
    entry = activationpb.ActivationEntry(strategy_id="s", side=commonpb.SIDE_LONG, active=True, weight="0.5")
    activation = activationpb.ActivationEnvelope(
        effective_mode=commonpb.EFFECTIVE_MODE_PAPER, fence_epoch=3, entries=[entry]
    )
    payload = controlpb.ActivationUpdated(activation=activation)
    event = controlpb.ControlEvent(key="w", revision=2, activation_updated=payload)
    assert event_line(event, is_state=True).endswith(
        "= activation_updated       w r2  PAPER epoch 3: s long active 0.5"
    )
    failed = controlpb.StrategyStateChanged(strategy_id="s", state=controlpb.STRATEGY_STATE_FAILED, reason="because")
    assert summary(controlpb.ControlEvent(strategy_state_changed=failed)) == "FAILED: because"
    assert summary(controlpb.ControlEvent()) == ""


def test_every_payload_of_the_contract_has_words() -> None:
    """A new payload without a summary shows here, not on somebody's terminal."""
    payloads = [field.name for field in controlpb.ControlEvent.DESCRIPTOR.oneofs_by_name["payload"].fields]
    silent = {name for name in payloads if not summary(ParseDict({name: {}}, controlpb.ControlEvent()))}
    assert silent <= {"sentinel_weight_updated"}  # a list, empty here
