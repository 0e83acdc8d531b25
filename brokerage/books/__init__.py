"""Positions and open-order totals of every owner, stored and valued; never decides on an order."""
