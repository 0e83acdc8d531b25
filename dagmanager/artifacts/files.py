"""Files made of the graph, archives and snapshots, on any fsspec filesystem.

All lie under one root. What a caller names is a path below it, or the URL of one: with any other place, a caller
could have this process read and write for it.
"""

from __future__ import annotations

import fsspec  # type: ignore[import-untyped]  # ships no types

from dagmanager.artifacts.domain import Artifact
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.core.identity import canonical

URL_CHARS_MAX = 1_000


class Miscounted(Exception):
    """What was to be archived is not what the catalogue counted; nothing was written."""


class Unverified(Exception):
    """What was written does not read back."""


def below(root: str, url: str) -> str:
    """The URL of a file below the root. Raises InvalidRequest (E_URL)."""
    root = root.rstrip("/")
    inner = url.removeprefix(f"{root}/")
    parts = inner.split("/")
    plain = all(part not in ("", ".", "..") for part in parts) and not any(char in inner for char in "\\:?*[]{}\0")
    if not plain or len(url) > URL_CHARS_MAX:
        violation = Violation("url", repr(url[:200]), f"a path below {root}, or {root}/<path>")
        raise InvalidRequest("E_URL", str(violation), violations=(violation,))
    return f"{root}/{inner}"


def write_bytes(path: str, body: bytes) -> Artifact:
    """Write a file whole, under another name first. Raises Unverified, OSError, ValueError, ImportError."""
    fs, inner = fsspec.core.url_to_fs(path)
    fs.makedirs(fs._parent(inner), exist_ok=True)
    partial = f"{inner}.partial"
    fs.pipe_file(partial, body)
    fs.mv(partial, inner)
    if fs.size(inner) != len(body):
        raise Unverified(f"{path} has {fs.size(inner)} bytes, want {len(body)}")
    return Artifact(path, canonical.digest(body), len(body))


def read_bytes(path: str) -> bytes:
    """A file whole. Raises FileNotFoundError and as write_bytes."""
    fs, inner = fsspec.core.url_to_fs(path)
    body: bytes = fs.cat_file(inner)
    return body
