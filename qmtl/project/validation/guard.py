"""What a strategy that is only built has no business with: a network, processes, files outside of a scratch folder.

It keeps mistakes from doing harm, and says them; code that means harm needs more than the interpreter's audit hooks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_NETWORK = frozenset(
    f"socket.{name}"
    for name in ("bind", "connect", "getaddrinfo", "gethostbyaddr", "gethostbyname", "getnameinfo", "sendmsg", "sendto")
)
_PROCESSES = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn"}
)
_WRITTEN = {
    "os.chmod": 1, "os.chown": 1, "os.link": 2, "os.mkdir": 1, "os.remove": 1, "os.rename": 2, "os.rmdir": 1,
    "os.symlink": 2, "os.truncate": 1, "os.utime": 1, "sqlite3.connect": 1,
}  # fmt: skip
"""Events, and how many of their first arguments are paths that change."""
_READS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_DIRECTORY | os.O_NOFOLLOW
_HARMLESS = frozenset({os.devnull, ":memory:"})


def guard(scratch: Path) -> None:
    """From here on this process raises PermissionError instead; `scratch`: where it may write."""
    inside = os.path.realpath(scratch)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event in _NETWORK:
            raise PermissionError("a strategy that is built opens no connection")
        if event in _PROCESSES:
            raise PermissionError("a strategy that is built starts no process")
        for path in _changed(event, arguments):
            if path not in _HARMLESS and not f"{os.path.realpath(path)}{os.sep}".startswith(f"{inside}{os.sep}"):
                raise PermissionError(f"a strategy that is built writes no file: {path}")

    sys.addaudithook(refuse)


def _changed(event: str, arguments: tuple[object, ...]) -> list[str]:
    paths = arguments[: _WRITTEN.get(event, 0)]
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & ~_READS:
        paths = arguments[:1]
    return [os.fsdecode(path) for path in paths if isinstance(path, str | bytes | os.PathLike)]
