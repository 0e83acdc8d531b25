"""Where the gateway is, which token is used, how long an outage is waited for."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest, NotFound, Unauthenticated, Unavailable
from qmtl.rpc.auth import Role
from qmtl.rpc.tokens import user_token_path
from qmtl.sdk.client import ADDRESS_VARIABLE, TOKEN_VARIABLE, Gateway, Line, Patience, open_client, token_source
from tests.sdk.fakes import FakeMesh
from tests.sdk.market import walk

UNUSED = FakeMesh(walk(10), 5).client
AWAY = Unavailable("E_TEST", "away")


def clock() -> VirtualClock:
    return VirtualClock(datetime(2021, 1, 1, tzinfo=UTC))


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


async def test_outages_are_repeated_until_one_answers() -> None:
    answers: list[int | Unavailable] = [AWAY, AWAY, 7]
    line = Line.open(UNUSED, 10.0, clock())

    async def call() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    assert await line.ask(call, "test") == 7
    assert line.patience.retries == 2
    assert line.beside().patience.retries == 0


async def test_what_waiting_does_not_help_is_raised_at_once() -> None:
    async def call() -> int:
        raise NotFound("E_TEST", "no such thing")

    line = Line.open(UNUSED, 10.0, clock())
    with pytest.raises(NotFound):
        await line.ask(call, "test")
    assert line.patience.retries == 0


async def test_patience_counts_from_the_first_failure_and_starts_anew_after_an_answer() -> None:
    time = clock()
    patience = Patience(10.0, time)
    await patience.failed(AWAY, "test")
    time.advance(9.0)
    await patience.failed(AWAY, "test")
    patience.answered()
    time.advance(9.0)
    await patience.failed(AWAY, "test")
    time.advance(11.0)
    with pytest.raises(Unavailable) as raised:
        await patience.failed(AWAY, "test")
    assert raised.value.__notes__ == ["test: no answer for 10 s"]


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_no_patience_is_refused(limit_s: float) -> None:
    with pytest.raises(InvalidRequest, match="E_PATIENCE"):
        Patience(limit_s, clock())
