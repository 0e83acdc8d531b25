"""Runs a graph over arrays or event by event, with equal results to the last bit.
Reads no clock, opens nothing and fetches nothing.
"""
