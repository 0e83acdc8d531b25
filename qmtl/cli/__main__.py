"""`python -m qmtl.cli` is `qmtl`."""

from qmtl.cli.main import main

main()
