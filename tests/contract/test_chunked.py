"""RPCs that take more than one message holds say so in their contract, all in one way."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from qmtl.common.v1 import options_pb2 as optionspb
from qmtl.rpc.client.channel import REQUEST_BYTES_MAX
from qmtl.rpc.rules.methods import rules_of
from qmtl.rpc.server.inbound import Limits
from tests.support.contracts import services

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
METHODS = [method for service in services() for method in service.methods]
CHUNKED = [method for method in METHODS if "chunk" in method.input_type.fields_by_name]


def stated(method: MethodDescriptor) -> optionspb.Chunked:
    option: optionspb.Chunked = method.GetOptions().Extensions[optionspb.chunked]  # type: ignore[index]  # protoc's stubs lose the extension's type
    return option


def test_a_message_has_at_most_a_mebibyte_at_both_ends() -> None:
    assert Limits().request_bytes_max == REQUEST_BYTES_MAX == MIB


def test_who_has_the_option_takes_chunks_and_who_takes_chunks_has_it() -> None:
    assert [m.full_name for m in METHODS if stated(m).payload] == [method.full_name for method in CHUNKED]
    assert {method.name for method in CHUNKED} >= {"SubmitStrategy", "DryRunStrategy", "Diff", "EvaluateCohort"}


@pytest.mark.parametrize("method", CHUNKED, ids=lambda method: method.name)
def test_a_chunked_rpc_states_its_payload_and_its_limit(method: MethodDescriptor) -> None:
    option = stated(method)
    (field,) = method.input_type.fields
    payload = descriptor_pool.Default().FindMessageTypeByName(option.payload)
    assert method.client_streaming
    assert (field.name, field.number, field.type) == ("chunk", 1, FieldDescriptor.TYPE_BYTES)
    assert 1 * MIB < option.total_bytes_max <= 16 * MIB
    assert option.names_worlds == bool({"world_id", "world_ids", "context"} & set(payload.fields_by_name))
    rule = next(rule for rule in rules_of(method.containing_service, {}) if rule.name.endswith(f"/{method.name}"))
    assert rule.chunked is not None
    assert (rule.chunked.total_bytes_max, rule.chunked.names_worlds) == (option.total_bytes_max, option.names_worlds)


@pytest.mark.parametrize("method", CHUNKED, ids=lambda method: method.name)
def test_the_comment_of_a_chunked_rpc_says_its_limit(method: MethodDescriptor) -> None:
    text = (ROOT / "proto" / method.containing_service.file.name).read_text("utf-8")
    comment = text[: text.index(f"  rpc {method.name}(")].rpartition("}\n")[2]
    assert f"A payload has at most {stated(method).total_bytes_max // MIB} MiB" in " ".join(comment.split("\n  // "))
