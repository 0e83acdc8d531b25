"""Replays of order lists: what brokerage makes of them is the evidence that numbers are computed from."""
