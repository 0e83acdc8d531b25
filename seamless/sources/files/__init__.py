"""Bars of files: reading CSV, Parquet and Arrow IPC, and the packaged sample."""
