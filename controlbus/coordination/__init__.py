"""Leases and token buckets that processes share through the broker.

A lease alone never protects an outside effect.
"""
