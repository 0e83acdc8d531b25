"""Snapshots, reports, breaches and limits as messages of the contract, and back."""
