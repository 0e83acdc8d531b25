"""Data sessions: sealed bars played as if they were arriving now, at the step of those who follow.\nNo bar is
taken back, whatever is killed.
"""
