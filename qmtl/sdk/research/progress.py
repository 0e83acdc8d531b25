"""How far a sweep or a search is, on one line of a terminal. Nothing is written where nobody watches."""

from __future__ import annotations

from typing import TextIO

from qmtl.sdk.research.options import OnTrial


def progress_on(stream: TextIO) -> OnTrial | None:
    """Writes how many trials ended over its own line, the last with an end of line; None where it is no terminal."""
    if not stream.isatty():
        return None

    def told(ended: int, of: int) -> None:
        stream.write(f"\r{ended:,} of {of:,} trials{chr(10) if ended == of else ''}")
        stream.flush()

    return told
