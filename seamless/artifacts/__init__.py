"""Sealed bars: their files, their rows in the catalogue, how they are made and found again.

Nothing sealed is ever changed; no source's network is touched.
"""
