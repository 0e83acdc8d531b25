"""Bars of files: reading CSV and Parquet, and the packaged sample."""
