"""A disk is judged by a write: full, read-only, unusable, and well again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from qmtl.rpc.disk import disk_fault


def test_a_folder_that_takes_a_write_is_well_and_left_as_it_was(tmp_path: Path) -> None:
    assert disk_fault(tmp_path / "home", 0) == ""
    assert os.listdir(tmp_path / "home") == []


def test_too_little_space_names_path_and_bytes(tmp_path: Path) -> None:
    fault = disk_fault(tmp_path, 1 << 62)
    assert fault.startswith(f"{tmp_path} has ")
    assert fault.endswith(f" bytes free, want {1 << 62}")


def test_a_folder_that_is_a_file_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    assert str(tmp_path / "home") in disk_fault(tmp_path / "home", 0)


def test_a_write_that_is_not_taken_names_path_and_bytes(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; from qmtl.rpc.disk import disk_fault\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "print(disk_fault(Path(sys.argv[1]), 0))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert f"{tmp_path} takes no write of 4096 bytes" in done.stdout
    assert os.listdir(tmp_path) == []
