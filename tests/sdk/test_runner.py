"""The runner's doors: plain, in a notebook's running loop, and towards a gateway that is not there."""

import inspect

import pytest

from examples.ema_cross import EmaCross
from qmtl.core.errors import Unavailable
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway

NOWHERE = Gateway("127.0.0.1:1", token="t", outage_s_max=0.2)


def test_an_unreachable_gateway_is_an_error_once_an_outage_lasts_too_long() -> None:
    with pytest.raises(Unavailable):
        Runner.submit(EmaCross(), world="w", data="d", gateway=NOWHERE)


async def test_the_plain_calls_work_where_a_loop_runs_already() -> None:
    with pytest.raises(Unavailable):
        Runner.submit(EmaCross(), world="w", data="d", gateway=NOWHERE)
    with pytest.raises(Unavailable):
        Runner.run(EmaCross(), world="w", data="d", gateway=NOWHERE)


async def test_the_address_given_wins() -> None:
    other = Gateway("127.0.0.1:2", token="t", outage_s_max=0.2)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1:"):
        await Runner.submit_async(EmaCross(), world="w", data="d", address="127.0.0.1:1", gateway=other)


@pytest.mark.parametrize("door", [Runner.backtest, Runner.submit, Runner.submit_async, Runner.run, Runner.run_async])
def test_no_door_takes_a_mode(door: object) -> None:
    assert callable(door)
    assert not {"mode", "domain", "execution_domain"} & set(inspect.signature(door).parameters)
