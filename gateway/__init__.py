"""The public door of a QMTL mesh."""
