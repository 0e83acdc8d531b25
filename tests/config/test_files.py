"""Files of a home: nobody else may read them, whatever the umask of who starts a mesh."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qmtl.config.files import close_to_others, open_to_append, private_file, private_folder, write_private


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Without a umask that would hide a missing mode."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_their_owners_with_every_missing_parent(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o700, 0o700)


def test_a_folder_of_wider_rights_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "wide"
    folder.mkdir(mode=0o755)
    close_to_others(folder)
    assert mode(folder) == 0o700


def test_files_are_their_owners(tmp_path: Path) -> None:
    private_file(tmp_path / "db")
    write_private(tmp_path / "replaced", "x")
    with open_to_append(tmp_path / "logs" / "log") as log:
        log.write(b"a line")
    assert {mode(path) for path in (tmp_path / "db", tmp_path / "replaced", tmp_path / "logs" / "log")} == {0o600}


def test_a_file_that_is_there_keeps_its_content(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("rows")
    private_file(tmp_path / "db")
    assert (tmp_path / "db").read_text() == "rows"


def test_a_file_that_cannot_be_written_is_as_it_was_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_private(path, "old")
    code = (
        "import resource, signal, sys; from pathlib import Path; from qmtl.config.files import write_private\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16)); write_private(Path(sys.argv[1]), 'n' * 64)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["token"]
