"""Data sessions: sealed bars played as if they were arriving now, at the step of those who follow.

No bar is taken back, whatever is killed.
"""
