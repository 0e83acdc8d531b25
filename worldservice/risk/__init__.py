"""The Risk Signal Hub: what strategies hold and earned, and every risk number derived from it."""
