"""grpcurl, as an operator uses it: list and describe by reflection, call with a token, read the errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qmtl.cli.local.supervisor import Mesh
from qmtl.config.home import user_token_path
from qmtl.config.settings import SERVICES
from qmtl.core.roles import Role

OWN = {
    "gateway": "qmtl.gateway.v1.GatewayStatusService",
    "dagmanager": "qmtl.dag.v1.StatusService",
    "worldservice": "qmtl.world.v1.StatusService",
    "brokerage": "qmtl.broker.v1.StatusService",
    "seamless": "qmtl.data.v1.StatusService",
    "controlbus": "qmtl.control.v1.StatusService",
}
BIN = Path(sys.executable).parent


def grpcurl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "grpcurl"), "-plaintext", "-max-time", "20", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def minted(mesh: Mesh, *arguments: str) -> str:
    """What `qmtl token` prints."""
    command = [sys.executable, "-m", "qmtl.cli", "token", "--home", str(mesh.home), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


@pytest.fixture(scope="module")
def user(mesh: Mesh) -> str:
    token = user_token_path(mesh.home, Role.OPERATOR).read_text().strip()
    return f"authorization: Bearer {token}"


@pytest.fixture(scope="module")
def operator(mesh: Mesh) -> str:
    return f"x-qmtl-service: Bearer {minted(mesh, '--as-service', 'operator')}"


@pytest.mark.parametrize("service", SERVICES)
def test_lists_describes_and_calls_each_service_through_the_gateway(mesh: Mesh, user: str, service: str) -> None:
    gateway, name = mesh.address("gateway"), OWN[service]
    assert name in grpcurl("-H", user, gateway, "list").stdout.split()
    assert f"service {name.rpartition('.')[2]}" in grpcurl("-H", user, gateway, "describe", name).stdout
    called = grpcurl("-H", user, gateway, f"{name}/GetStatus")
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["status"]["service"] == service


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "gateway"])
def test_calls_each_service_directly_as_operator(mesh: Mesh, operator: str, service: str) -> None:
    address, name = mesh.address(service), OWN[service]
    assert name in grpcurl("-H", operator, address, "list").stdout.split()
    called = grpcurl("-H", operator, address, f"{name}/GetStatus")
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["status"]["service"] == service


def test_a_method_is_described(mesh: Mesh, user: str) -> None:
    described = grpcurl("-H", user, mesh.address("gateway"), "describe", "qmtl.world.v1.EvaluationService.Decide")
    assert "rpc Decide ( .qmtl.world.v1.DecideRequest ) returns ( .qmtl.world.v1.DecideResponse )" in described.stdout


def test_bad_request_names_reason_and_field(mesh: Mesh, user: str) -> None:
    called = grpcurl("-H", user, "-d", "{}", mesh.address("gateway"), "qmtl.gateway.v1.StrategyService/SubmitStrategy")
    assert called.returncode != 0
    assert "InvalidArgument" in called.stderr
    assert "E_TOTAL_BYTES" in called.stderr
    assert "metadata x-total-bytes" in called.stderr


def test_no_token_is_refused_readably(mesh: Mesh) -> None:
    called = grpcurl("-d", "{}", mesh.address("gateway"), "qmtl.gateway.v1.GatewayStatusService/GetStatus")
    assert called.returncode != 0
    # without a token even reflection is closed, and that refusal is what a person sees first
    assert "Unauthenticated" in called.stderr
    assert "no token came with the call" in called.stderr


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "gateway"])
def test_user_token_alone_opens_no_service_behind_the_gateway(mesh: Mesh, user: str, service: str) -> None:
    called = grpcurl("-H", user, mesh.address(service), f"{OWN[service]}/GetStatus")
    assert called.returncode != 0
    assert "PermissionDenied" in called.stderr
    assert "E_SERVICE_REQUIRED" in called.stderr


def test_health_is_open_and_serving(mesh: Mesh) -> None:
    for service in SERVICES:
        probe = "import grpc, sys; from grpc_health.v1 import health_pb2 as p, health_pb2_grpc as r\n"
        probe += "c = grpc.insecure_channel(sys.argv[1]); print(r.HealthStub(c).Check(p.HealthCheckRequest()).status)"
        answered = subprocess.run(
            [sys.executable, "-c", probe, mesh.address(service)], capture_output=True, text=True, check=True, timeout=30
        )
        assert answered.stdout.strip() == "1", service
