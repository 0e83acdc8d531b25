"""Every RPC says what it does and which errors it answers; every service, message and enum is described."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from tests.contract.reasons import REASON, registered
from tools.error_table import error_table

ROOT = Path(__file__).resolve().parents[2]
COMING = {"E_ORDER_CLOSED", "E_NO_SOURCE", "E_ARTIFACT_CONFLICT", "E_READ_ONLY_DOMAIN"}  # of RPCs that are not built
SERVICE, METHOD = 6, 2  # field numbers of FileDescriptorProto.service and ServiceDescriptorProto.method


@pytest.fixture(scope="module")
def files() -> list[FileDescriptorProto]:
    buf = Path(sys.executable).parent / "buf"
    image = subprocess.run([str(buf), "build", "-o", "-"], cwd=ROOT, capture_output=True, check=True).stdout
    return [file for file in FileDescriptorSet.FromString(image).file if file.package.startswith("qmtl.")]


def comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    return {tuple(place.path): place.leading_comments for place in file.source_code_info.location}


def rpcs(files: list[FileDescriptorProto]) -> Iterator[tuple[str, str]]:
    for file in files:
        said = comments(file)
        for at, service in enumerate(file.service):
            for number, method in enumerate(service.method):
                yield f"{service.name}.{method.name}", said.get((SERVICE, at, METHOD, number), "")


def test_who_reads_messages_learns_of_no_service(files: list[FileDescriptorProto]) -> None:
    """A service that a file of messages imports is in the reflection of every process that has one of the messages."""
    with_services = {file.name for file in files if file.service}
    assert [
        (file.name, one) for file in files if not file.service for one in file.dependency if one in with_services
    ] == []


def test_every_rpc_tells_its_errors(files: list[FileDescriptorProto]) -> None:
    silent = [name for name, comment in rpcs(files) if "Errors:" not in comment or len(comment) < 40]
    assert len(list(rpcs(files))) > 100
    assert silent == []


def test_every_reason_that_a_contract_names_is_registered(files: list[FileDescriptorProto]) -> None:
    named = {reason for file in files for text in comments(file).values() for reason in REASON.findall(text)}
    assert named - set(registered()) <= COMING


def test_the_table_of_errors_is_that_of_the_registry() -> None:
    assert (ROOT / "docs" / "errors.md").read_text() == error_table()


def test_every_service_is_described(files: list[FileDescriptorProto]) -> None:
    silent = [
        service.name
        for file in files
        for at, service in enumerate(file.service)
        if not comments(file).get((SERVICE, at), "").strip()
    ]
    assert silent == []
