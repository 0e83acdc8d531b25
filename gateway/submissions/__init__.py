"""Strategies from acceptance to release: accepted means committed here.

It decides nothing about a world, a graph or an order.
"""
