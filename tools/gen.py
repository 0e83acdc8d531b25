"""Regenerates gen/ from proto/ and third_party/qmtl with the pinned tools of the environment this Python runs in.

`--check` generates into a temporary copy and fails, listing the files, when the committed gen/ differs.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INPUTS = ("buf.yaml", "buf.gen.yaml", "proto", "third_party", "tools")


def generate(root: Path) -> None:
    """Runs `buf generate` in `root`; raises CalledProcessError when a contract does not compile."""
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([str(scripts / "buf"), "generate"], cwd=root, env=environment, check=True)


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.py*") if "__pycache__" not in path.parts}


def drift() -> list[str]:
    """Names of files in gen/ that differ from what proto/ generates."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in INPUTS:
            source = ROOT / name
            shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
        generate(copy)
        wanted, have = copy / "gen", ROOT / "gen"
        names = files_of(wanted) | files_of(have)
        _, differing, missing = filecmp.cmpfiles(wanted, have, sorted(names), shallow=False)
        return sorted([*differing, *missing])


def main() -> int:
    if "--check" not in sys.argv[1:]:
        generate(ROOT)
        return 0
    names = drift()
    for name in names:
        sys.stderr.write(f"gen/{name} is not what proto/ generates; run `make gen`\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
