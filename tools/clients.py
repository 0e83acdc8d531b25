"""Builds the clients of other languages and runs each against a mesh that this starts and stops.

A client prints one line for each thing that worked; `restart` and `kill` ask for a gateway's end, and are answered with
a line when it has ended. A language whose toolchain is not on this machine is named and left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qmtl.cli.local.layout import free_plan
from qmtl.cli.local.supervisor import Mesh
from qmtl.config.home import user_token_path
from qmtl.core.roles import Role

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "clients"
GATEWAYS = ("gateway", "gateway-2")
MOVES = 100
LONGEST_S = 300.0  # of one run of one client
BUILD_S = 1800.0  # with empty caches on a slow line
RATE = {"QMTL__GATEWAY__RATE_PER_S": "60", "QMTL__GATEWAY__RATE_BURST": "200"}  # low, so that a client can meet it

Report = Callable[[str], None]


@dataclass(frozen=True)
class Language:
    """How the client of a language is built and started, in its folder below clients/."""

    name: str
    needs: tuple[str, ...]
    build: tuple[tuple[str, ...], ...]
    program: tuple[str, ...]
    has_moves: bool = False

    @property
    def folder(self) -> Path:
        return ROOT / "clients" / self.name

    @property
    def absent(self) -> list[str]:
        """Programs of its toolchain that this machine does not have."""
        return [name for name in self.needs if shutil.which(name, path=_path()) is None]


LANGUAGES = (
    Language(
        "go", ("go", "buf"), (("buf", "generate"), ("go", "build", "-o", "qmtl-client", ".")), ("./qmtl-client",), True
    ),
    Language(
        "typescript",
        ("node", "npm"),
        (("npm", "install", "--no-audit", "--no-fund", "--package-lock=false"), ("npm", "run", "--silent", "build")),
        ("node", "dist/src/main.js"),
        True,
    ),
    Language("java", ("java", "mvn"), (("mvn", "-q", "-B", "-ntp", "package"),), ("java", "-jar", "target/client.jar")),
    Language("rust", ("cargo",), (("cargo", "build", "--quiet"),), ("target/debug/qmtl-client",)),
)


class ClientFailed(Exception):
    """A client did not build, or did not do what it is a sample of."""


def build(language: Language) -> None:
    """Build a client unless nothing it is made from has changed. Raises ClientFailed."""
    stamp, now = BUILT / f"{language.name}.digest", _digest(language)
    if stamp.exists() and stamp.read_text(encoding="ascii") == now:
        return
    for command in language.build:
        done = subprocess.run(
            command, cwd=language.folder, env=_environ(), capture_output=True, text=True, timeout=BUILD_S, check=False
        )
        if done.returncode:
            raise ClientFailed(f"{' '.join(command)}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    BUILT.mkdir(parents=True, exist_ok=True)
    stamp.write_text(now, encoding="ascii")


@contextmanager
def two_gateways(home: Path) -> Iterator[Mesh]:
    """A mesh with two gateways, which let a caller meet their rate limit."""
    plan = free_plan(home, replicas={"gateway": 2})
    with Mesh(dataclasses.replace(plan, environ=RATE)) as mesh:
        yield mesh


def check_vectors(language: Language, report: Report) -> None:
    """All vectors of proto/testdata. Raises ClientFailed."""
    _run(language, ["vectors", str(ROOT / "proto" / "testdata")], report, {})


def walk(language: Language, mesh: Mesh, report: Report) -> None:
    """From an empty world to a fill, through a restart of the gateway. Raises ClientFailed."""

    def restart() -> None:
        mesh.wait_ready("gateway", other_than=mesh.kill("gateway"), timeout_s=60.0)

    _run(language, ["walk", *_addresses(mesh), _token(mesh)], report, {"restart": restart})


def moves(language: Language, mesh: Mesh, count: int, report: Report) -> None:
    """An event stream moved between two gateways, one of which is killed. Raises ClientFailed."""

    def kill() -> None:
        mesh.kill("gateway-2")

    _run(language, ["moves", str(count), *_addresses(mesh), _token(mesh)], report, {"kill": kill})


def _run(language: Language, args: Sequence[str], report: Report, asks: dict[str, Callable[[], None]]) -> None:
    command = [*language.program, *args]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            cwd=language.folder,
            env=_environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        limit = threading.Timer(LONGEST_S, process.kill)
        limit.start()
        try:
            _answer(process, report, asks)
        finally:
            limit.cancel()
            process.kill()
            process.wait()
        if process.returncode:
            errors.seek(0)
            raise ClientFailed(f"{language.name} {args[0]} ended with {process.returncode}:\n{errors.read()[-4000:]}")


def _answer(process: subprocess.Popen[str], report: Report, asks: dict[str, Callable[[], None]]) -> None:
    """Report what the client prints until it ends, and do what it asks for."""
    if process.stdin is None or process.stdout is None:
        raise ClientFailed("the client has no pipes")
    with process.stdin as answers, process.stdout as lines:
        for line in lines:
            report(line.rstrip())
            act = asks.get(line.strip())
            if act is not None:
                act()
                answers.write("done\n")
                answers.flush()
        process.wait(timeout=LONGEST_S)


def _addresses(mesh: Mesh) -> list[str]:
    return [mesh.address(name) for name in GATEWAYS]


def _token(mesh: Mesh) -> str:
    return str(user_token_path(mesh.home, Role.OPERATOR))


def _digest(language: Language) -> str:
    """Of every file the client is made from."""
    folders = (str(language.folder.relative_to(ROOT)), "proto", "third_party")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = hashlib.sha256()
    for name in sorted(listed.stdout.split()):
        if (ROOT / name).is_file():
            found.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return found.hexdigest()


def _environ() -> dict[str, str]:
    return {**os.environ, "PATH": _path()}


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def main() -> int:
    """Build and run every client whose toolchain is here; 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="languages to run; none: all")
    parser.add_argument("--moves", type=int, default=MOVES, help="moves between gateways; 0: none")
    options = parser.parse_args()
    chosen = [language for language in LANGUAGES if not options.only or language.name in options.only]
    for language in chosen:
        if language.absent:
            sys.stdout.write(f"{language.name}: left out, this machine has no {' and no '.join(language.absent)}\n")
    failed = False
    with tempfile.TemporaryDirectory() as folder, two_gateways(Path(folder) / "home") as mesh:
        for language in chosen:
            if not language.absent:
                failed |= not _whole(language, mesh, options.moves)
    return int(failed)


def _whole(language: Language, mesh: Mesh, count: int) -> bool:
    def report(line: str) -> None:
        sys.stdout.write(f"{language.name}: {line}\n")
        sys.stdout.flush()

    try:
        build(language)
        check_vectors(language, report)
        walk(language, mesh, report)
        if language.has_moves and count:
            moves(language, mesh, count, report)
    except (ClientFailed, OSError, subprocess.SubprocessError) as error:
        report(f"FAILED: {error}")
        return False
    report("done")
    return True


if __name__ == "__main__":
    sys.exit(main())
