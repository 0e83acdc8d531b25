"""The order as a value and as the fold of its events; knows no account and no price."""
