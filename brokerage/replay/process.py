"""The process that one replay runs in: started for it, killed with whoever waits for it."""

from __future__ import annotations

import asyncio
import pickle
import sys
from types import TracebackType
from typing import Any, Self

from qmtl.core import errors
from qmtl.core.errors import InvalidRequest, QmtlError, Unavailable

FRAME_BYTES = 8
_KINDS: dict[str, type[QmtlError]] = {
    one.__name__: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, QmtlError)
}


class ReplayProcess:
    """Speaks to `brokerage.replay.worker`; leaving the context kills it wherever it is."""

    def __init__(self, looks_max: int, memory_bytes_max: int) -> None:
        self._arguments = (str(looks_max), str(memory_bytes_max))
        self._child: asyncio.subprocess.Process | None = None

    @property
    def child(self) -> asyncio.subprocess.Process:
        """The process, once started."""
        assert self._child is not None, "entered"
        return self._child

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "brokerage.replay.worker", *self._arguments)
        self._child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.child.returncode is None:
            self.child.kill()
        await self.child.wait()

    async def send(self, value: object) -> None:
        """Give it the next thing. What it does not take because it has ended is told by what is read of it next."""
        stdin = self.child.stdin
        assert stdin is not None, "a pipe"
        try:
            stdin.write(pickle.dumps(value))
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return

    async def fingerprints(self) -> tuple[str, ...]:
        """The sealed data that it wants. Raises what is wrong with the request."""
        found: tuple[str, ...] = await self._receive()
        return found

    async def parts(self) -> list[bytes]:
        """The parts of its reply, serialized. Raises what ended it."""
        found: list[bytes] = []
        while (part := await self._receive()) is not None:
            found.append(part)
        return found

    async def _receive(self) -> Any:
        stdout = self.child.stdout
        assert stdout is not None, "a pipe"
        try:
            size = int.from_bytes(await stdout.readexactly(FRAME_BYTES), "big")
            value = pickle.loads(await stdout.readexactly(size))
        except asyncio.IncompleteReadError:
            code = await self.child.wait()
            raise Unavailable("E_CANCELLED_INSIDE", f"the process of the replay ended with {code}") from None
        if isinstance(value, dict):
            raise _KINDS.get(value.pop("error"), InvalidRequest)(**value)
        return value
