"""Compares the contracts with the last commit on main, so that no wire break lands unseen.

A break that is meant (before 0.1.0) is stated in the same commit by a new line of CHANGELOG.md: "- Contract break:".
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)


def baseline() -> str:
    """The commit to compare with: HEAD while contracts are uncommitted, else the one before it; empty without one."""
    changed = git("status", "--porcelain", "--", "proto").stdout.strip()
    found = git("rev-parse", "--verify", "HEAD" if changed else "HEAD~1")
    return found.stdout.strip() if found.returncode == 0 else ""


def declared(base: str) -> bool:
    """Whether the changelog says of a contract break what it did not say at the base."""
    then = breaks(git("show", f"{base}:CHANGELOG.md").stdout)
    return bool(breaks((ROOT / "CHANGELOG.md").read_text()) - then)


def breaks(changelog: str) -> set[str]:
    return {line for line in changelog.splitlines() if line.startswith("- Contract break:")}


def main() -> int:
    base = baseline()
    if not base or git("cat-file", "-e", f"{base}:buf.yaml").returncode != 0:
        return 0
    buf = Path(sys.executable).parent / "buf"
    against = f"{ROOT}/.git#ref={base}"
    if subprocess.run([str(buf), "breaking", "--against", against], cwd=ROOT, check=False).returncode == 0:
        return 0
    return 0 if declared(base) else 1


if __name__ == "__main__":
    sys.exit(main())
