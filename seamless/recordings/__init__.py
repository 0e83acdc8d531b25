"""Recordings: the bars that live data sessions delivered, as they were delivered, sealed to be replayed."""
