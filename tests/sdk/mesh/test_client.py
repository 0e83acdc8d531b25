"""Where the gateway is, which token is used, how long an outage is waited for."""

from pathlib import Path

import pytest

from qmtl.core.errors import InvalidRequest, Unauthenticated, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import user_token_path
from qmtl.sdk.mesh.client import ADDRESS_VARIABLE, TOKEN_VARIABLE, Gateway, open_client, token_source
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh

UNUSED = FakeMesh(walk(10), 5).client
AWAY = Unavailable("E_TEST", "away")


async def test_address_is_given_found_in_the_environment_or_the_default(tmp_path: Path) -> None:
    environ = {ADDRESS_VARIABLE: "127.0.0.1:7999"}
    async with open_client(Gateway(home=tmp_path, token="t"), {}) as client:
        assert client.address == "127.0.0.1:7700"
    async with open_client(Gateway(home=tmp_path, token="t"), environ) as client:
        assert client.address == "127.0.0.1:7999"
    async with open_client(Gateway("127.0.0.1:8001", token="t", home=tmp_path), environ) as client:
        assert client.address == "127.0.0.1:8001"


def test_token_is_given_found_in_the_environment_or_the_local_operators(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated, match="E_TOKEN_MISSING"):
        token_source(Gateway(home=tmp_path), {})()
    path = user_token_path(tmp_path, Role.OPERATOR)
    path.parent.mkdir(parents=True)
    path.write_text("local\n")
    environ = {TOKEN_VARIABLE: "environment"}
    assert token_source(Gateway(home=tmp_path), {})() == "local"
    assert token_source(Gateway(home=tmp_path), environ)() == "environment"
    assert token_source(Gateway(token="given", home=tmp_path), environ)() == "given"


async def test_an_address_beyond_this_machine_needs_tls(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="E_TLS_REQUIRED"):
        async with open_client(Gateway("192.0.2.1:7700", token="t", home=tmp_path)):
            pass
