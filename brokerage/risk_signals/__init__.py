"""Snapshots for the risk hub: measured from the books by one replica, put when they change, refusals told."""
