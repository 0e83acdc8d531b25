"""Every RPC the mesh shows by reflection, called: exactly those of docs/architecture.md's list are not built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2

from qmtl.cli.local.supervisor import Mesh
from qmtl.config.home import user_token_path
from qmtl.config.settings import SERVICES
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_service_token
from qmtl.rpc.rules.grants import allows
from tests.support.contracts import services

ARCHITECTURE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
ROW = re.compile(r"^\| `(qmtl\.[a-z]+\.v1\.\w+/\w+)` \| (.+) \|$", re.MULTILINE)
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CALL_S = 3.0
"""How long an empty call may take; a stream that waits for events ends with DEADLINE_EXCEEDED and is built."""


def documented() -> dict[str, str]:
    """RPC -> the part that will build it, as the document lists them."""
    return dict(ROW.findall(ARCHITECTURE.read_text()))


def metadata(mesh: Mesh, service: str, name: str = "") -> list[tuple[str, str]]:
    """A user, and the service that may call this backend itself: for an RPC the first that is granted it."""
    caller = {"gateway": "worldservice", "controlbus": "operator"}.get(service, "gateway")
    if service != "controlbus" and not allows(caller, f"/{name}", read=False):
        caller = next((other for other in SERVICES if allows(other, f"/{name}", read=False)), caller)
    user = user_token_path(mesh.home, Role.OWNER).read_text().strip()
    return [("authorization", f"Bearer {user}"), ("x-qmtl-service", f"Bearer {mint_service_token(mesh.home, caller)}")]


async def reflected(
    channel: aio.Channel, said: list[tuple[str, str]]
) -> tuple[list[str], list[descriptor_pb2.FileDescriptorProto]]:
    """Every service this server names, and their files with those these import."""
    ask: Any = channel.stream_stream(
        REFLECTION,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
    replies = [reply async for reply in ask(iter(asked), metadata=said)]
    names = [service.name for service in replies[0].list_services_response.service]
    asked = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=name) for name in names]
    raw = [
        item
        async for reply in ask(iter(asked), metadata=said)
        for item in reply.file_descriptor_response.file_descriptor_proto
    ]
    return names, [descriptor_pb2.FileDescriptorProto.FromString(item) for item in raw]


async def code_of(
    channel: aio.Channel, name: str, method: descriptor_pb2.MethodDescriptorProto, said: list[tuple[str, str]]
) -> tuple[grpc.StatusCode, str]:
    """What an empty call of an RPC ends with."""
    try:
        if method.server_streaming:
            stream: Any = channel.unary_stream(f"/{name}")
            call = stream(b"", metadata=said, timeout=CALL_S)
            await call.read()
            call.cancel()
        else:
            single: Any = channel.unary_unary(f"/{name}")
            await single(b"", metadata=said, timeout=CALL_S)
    except aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("service", SERVICES)
async def test_exactly_the_listed_calls_are_not_built(mesh: Mesh, service: str) -> None:
    said = metadata(mesh, service)
    unbuilt, vague = set(), []
    async with aio.insecure_channel(mesh.address(service)) as channel:
        names, files = await reflected(channel, said)
        found = {f"{file.package}.{client.name}": client for file in files for client in file.service}
        seen = {name: found[name] for name in names if name.startswith("qmtl.")}
        if service == "gateway":  # what it forwards is asked at its owners: calls between services stop here
            areas = {"gateway", "world", "risk", "dag", "broker", "data", "control"}
            assert {name.split(".")[1] for name in seen} == areas
            seen = {name: client for name, client in seen.items() if name.startswith("qmtl.gateway.")}
        for full_name, client in seen.items():
            for method in client.method:
                name = f"{full_name}/{method.name}"
                code, details = await code_of(channel, name, method, metadata(mesh, service, name))
                assert code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), (name, code, details)
                if code is grpc.StatusCode.UNIMPLEMENTED:
                    unbuilt.add(name)
                    if "not built yet" not in details:
                        vague.append((name, details))
    listed = {name for name in documented() if name.partition("/")[0] in seen}
    assert seen
    assert unbuilt == listed
    assert vague == []


def test_the_document_names_a_part_for_each_and_only_real_calls() -> None:
    rows = documented()
    assert all(rows.values())
    methods = {contract.full_name: contract.methods_by_name for contract in services()}
    for name in rows:
        service, _, method = name.partition("/")
        assert method in methods[service], name
