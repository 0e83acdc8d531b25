"""The log file of a process: bounded in size and number, and nothing the process writes is elsewhere."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

CODE = """
import os, sys, structlog
from pathlib import Path
from qmtl.config.settings import LogLimits
from qmtl.rpc.telemetry import logs
from qmtl.rpc.telemetry.rotation import RotatingOutput
os.umask(0)
path = Path(sys.argv[1])
logs.configure("gateway", output=RotatingOutput(path, LogLimits(2_000, 3)))
for number in range(int(sys.argv[2])):
    if len(sys.argv) > 3 and number == 20:
        os.mkdir(f"{path}.2"); open(f"{path}.2/full", "w").close()
    structlog.stdlib.get_logger("qmtl.gateway").info("line", number=number)
os.write(2, b"written by a library\\n")
os.write(1, b"printed\\n")
"""


def run(path: Path, lines: int, *words: str) -> None:
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    subprocess.run([sys.executable, "-c", CODE, str(path), str(lines), *words], env=environ, check=True)


def test_logs_rotate_by_size_and_count(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "gateway.log"
    run(path, 200)
    assert sorted(each.name for each in path.parent.iterdir()) == ["gateway.log", "gateway.log.1", "gateway.log.2"]
    newest = path.read_text().splitlines()
    assert newest[-2:] == ["written by a library", "printed"]
    oldest_first = [*path.with_name("gateway.log.2").read_text().splitlines(),
                    *path.with_name("gateway.log.1").read_text().splitlines(), *newest[:-2]]  # fmt: skip
    numbers = [json.loads(line)["number"] for line in oldest_first]
    assert numbers == list(range(numbers[0], 200))
    for each in path.parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
        assert each.stat().st_size < 2_400


def test_a_file_that_cannot_be_moved_grows_on(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    run(path, 100, "jam")
    texts = [path.read_text(), path.with_name("gateway.log.1").read_text()]
    numbers = {json.loads(line)["number"] for text in texts for line in text.splitlines() if line.startswith("{")}
    assert numbers >= set(range(20, 100))
