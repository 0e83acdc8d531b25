"""Rows of a dataset in a range, with the truth about what was delivered.

Reads sealed artifacts; decides nothing that the domain's admission and plan do not.
"""
