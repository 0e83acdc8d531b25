"""A process that builds a strategy harms nobody by mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TRIES = """
import os, pathlib, shutil, socket, sqlite3, subprocess, sys, tempfile
from pathlib import Path
from qmtl.project.validation.guard import guard
scratch, out = Path(sys.argv[1]), Path(sys.argv[2])
guard(scratch)
tries = {
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "resolve": lambda: socket.getaddrinfo("localhost", 9),
    "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "send": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "system": lambda: os.system("true"),
    "popen": lambda: subprocess.run(["true"]),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "fork": os.fork,
    "write": lambda: (out / "new").write_text("x"),
    "append": lambda: (out / "kept").open("a"),
    "low": lambda: os.open(out / "low", os.O_CREAT | os.O_WRONLY),
    "sibling": lambda: Path(f"{scratch}-beside").write_text("x"),
    "remove": lambda: (out / "kept").unlink(),
    "rename": lambda: (out / "kept").rename(scratch / "taken"),
    "move in": lambda: shutil.move(out / "kept", scratch),
    "replace": lambda: os.replace(scratch / "mine", out / "kept"),
    "link": lambda: os.symlink(scratch, out / "link"),
    "through": lambda: (scratch / "way" / "out").write_text("x"),
    "mode": lambda: (out / "kept").chmod(0o777),
    "folder": lambda: (out / "folder").mkdir(),
    "tree": lambda: shutil.rmtree(out),
    "database": lambda: sqlite3.connect(out / "database"),
}
for name, one in tries.items():
    try:
        one()
    except PermissionError as error:
        assert "a strategy that is built" in str(error), (name, error)
    else:
        print("went through:", name)
(out / "kept").read_text()
(scratch / "mine").write_text("x")
(scratch / "folder").mkdir()
tempfile.NamedTemporaryFile(dir=scratch).close()
Path(os.devnull).write_text("x")
sqlite3.connect(":memory:").close()
print("done")
"""


def test_a_guarded_process_reaches_nothing_outside(tmp_path: Path) -> None:
    scratch, out = tmp_path / "scratch", tmp_path / "out"
    for folder in (scratch, out):
        folder.mkdir()
    (out / "kept").write_text("kept")
    (scratch / "mine").write_text("x")
    (scratch / "way").symlink_to(out)
    done = subprocess.run(
        [sys.executable, "-c", TRIES, str(scratch), str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("done\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "scratch"]
    assert [path.name for path in out.iterdir()] == ["kept"]
    assert (out / "kept").read_text() == "kept"
