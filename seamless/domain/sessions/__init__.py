"""Data sessions: what is asked of them, and how a replay's sealed bars are released."""
