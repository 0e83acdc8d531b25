"""Reflection: the same answers under both names, methods and options included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2

from qmtl.reflection.v1 import reflection_pb2 as reflectionpb
from tests.rpc.echo import NAME
from tests.rpc.mesh import Mesh, reflect, user

Request = reflectionpb.ServerReflectionRequest
NAMES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def file_names(bodies: Iterable[bytes]) -> list[str]:
    return [descriptor_pb2.FileDescriptorProto.FromString(body).name for body in bodies]


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize("symbol", [NAME, f"{NAME}.Post", "qmtl.common.v1.audience", *NAMES[:1]])
async def test_a_symbol_is_found_with_all_that_its_file_imports(
    mesh: Mesh, home: Path, service: str, symbol: str
) -> None:
    channel = await mesh.channel(await mesh.serve(), as_user=user(home))
    answer = await reflect(channel, Request(file_containing_symbol=symbol), service)
    names = file_names(answer.file_descriptor_response.file_descriptor_proto)
    assert len(set(names)) == len(names) > 0
    assert answer.original_request.file_containing_symbol == symbol
    if symbol.startswith(NAME):
        assert names[0] == "echo.proto"
        assert {"qmtl/common/v1/options.proto", "google/protobuf/descriptor.proto"} <= set(names)


@pytest.mark.parametrize("symbol", ["", "nothing", f"{NAME}.Nothing", "qmtl.common.v1", f"{NAME}.Post.value"])
async def test_what_is_not_there_is_not_found(mesh: Mesh, home: Path, symbol: str) -> None:
    channel = await mesh.channel(await mesh.serve(), as_user=user(home))
    answer = await reflect(channel, Request(file_containing_symbol=symbol))
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_a_file_is_found_by_its_name_and_extensions_by_their_type(mesh: Mesh, home: Path) -> None:
    channel = await mesh.channel(await mesh.serve(), as_user=user(home))
    name = "google/protobuf/wrappers.proto"
    file = await reflect(channel, Request(file_by_filename=name))
    assert file_names(file.file_descriptor_response.file_descriptor_proto) == [name]
    options = "google.protobuf.MethodOptions"
    numbers = await reflect(channel, Request(all_extension_numbers_of_type=options))
    assert 50101 in numbers.all_extension_numbers_response.extension_number
    asked = reflectionpb.ExtensionRequest(containing_type=options, extension_number=50101)
    found = await reflect(channel, Request(file_containing_extension=asked))
    assert "qmtl/common/v1/options.proto" in file_names(found.file_descriptor_response.file_descriptor_proto)


async def test_no_question_is_an_invalid_one(mesh: Mesh, home: Path) -> None:
    channel = await mesh.channel(await mesh.serve(), as_user=user(home))
    answer = await reflect(channel, Request())
    assert answer.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
