"""Rows of a dataset in a range, with the truth about what was delivered.

Reads what is sealed and stored, and has the missing fetched;
decides nothing that the domain's admission and plan do not.
"""
