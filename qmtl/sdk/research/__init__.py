"""Examinations of a strategy over local data. Opens no connection."""
