"""Replays of order lists over sealed data: the evidence of evaluations. Stores nothing, reaches no venue."""
