"""How a client meets a gateway that cannot be used: told at once, waited for only where waiting helps."""

import logging
import time
from pathlib import Path

import pytest

from examples.ema_cross import EmaCross
from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway, open_client


async def test_an_address_beyond_this_machine_needs_tls(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"E_TLS_REQUIRED.*--ca, QMTL_CA"):
        async with open_client(Gateway("192.0.2.1:7700", token="t", home=tmp_path)):
            pass


async def test_a_gateway_that_does_not_answer_is_named_before_it_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "qmtl.sdk.mesh"):
        async with open_client(Gateway(token="t", home=tmp_path), {"QMTL_ADDRESS": "127.0.0.1:1"}) as client:
            assert client.address == "127.0.0.1:1"
    assert "E_GATEWAY" not in caplog.text
    assert "gateway 127.0.0.1:1 (QMTL_ADDRESS) does not answer: Connection refused" in caplog.text
    assert "trying for 60 s" in caplog.text


async def test_what_waiting_does_not_help_is_raised_at_once(tmp_path: Path) -> None:
    gateway = Gateway("127.0.0.1:1", token="t", ca=tmp_path / "none.pem")
    with pytest.raises(InvalidRequest, match=r"E_CONFIG.*none\.pem"):
        async with open_client(gateway):
            pass
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(InvalidRequest, match=r"E_CONFIG: ca is .*ca\.pem, want PEM"):
        async with open_client(Gateway("127.0.0.1:1", token="t", ca=tmp_path / "ca.pem")):
            pass


def test_a_local_mesh_that_does_not_run_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(NotReady, match=r"E_NOT_RUNNING.*qmtl up"):
        Runner.submit(EmaCross(), world="w", gateway=Gateway(token="t", home=tmp_path))
    assert time.monotonic() - started < 2.0
