"""Calls to the gateway: address, token, pages of a listing, ids by their beginning. Prints nothing."""
