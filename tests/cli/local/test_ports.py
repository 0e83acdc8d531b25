"""A port that was found free is nobody else's before it is bound."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from qmtl.cli.local.ports import free_ports, is_free, keep
from tests.support.processes import python_env

KEEPER = """
import sys
from qmtl.cli.local.ports import free_ports
print(free_ports(1)[0], flush=True)
sys.stdin.read()
"""


def test_a_port_is_kept_for_the_process_that_was_told_it_until_that_ends() -> None:
    args = [sys.executable, "-c", KEEPER]
    with subprocess.Popen(args, env=python_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert is_free(f"127.0.0.1:{port}")  # nobody listens there yet
        assert not keep(port)
        other.kill()
    assert keep(port)
    assert not keep(port), "it was given out here"


def test_a_file_of_kept_ports_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Else every port would seem taken."""
    (tmp_path / f"qmtl-ports-{os.getuid()}").mkdir()
    args = [sys.executable, "-c", KEEPER]
    told = subprocess.run(
        args, env={**python_env(), "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False, input=""
    )
    assert told.returncode
    assert f"E_PORT_IN_USE: no port can be kept: {tmp_path}/qmtl-ports-" in told.stderr


def test_a_port_where_somebody_listens_is_not_kept() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        assert taken != port
        assert not keep(taken)
    assert keep(taken)
