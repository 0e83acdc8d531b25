"""The exchange behind every dialect."""
