"""The wall clock of a mesh's processes, which a test may set: a shared object they are started with, and a file."""

from __future__ import annotations

import mmap
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "clock_shim.c"


class MachineClock:
    """Nanoseconds that the processes started with `environ` add to the machine's wall clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        library, self._path = folder / "clock_shim.so", folder / "clock"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
        self._path.write_bytes(bytes(8))
        self.environ = {"LD_PRELOAD": str(library), "QMTL_TEST_CLOCK": str(self._path)}
        with self._path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 8)

    def set_to(self, ahead_s: float) -> None:
        """Set the wall clock: so far ahead of the machine's, negative for behind."""
        self._page[:] = struct.pack("q", round(ahead_s * 1e9))
