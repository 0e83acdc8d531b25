"""Brings the books of an account to what its venue lists, whatever was lost on the way.

The venue's lists are the truth: trades are booked once by their key, orders of unknown origin are kept as EXTERNAL, and
a balance that no trade explains is a transfer, booked only when it was seen twice, and told.
"""
