"""Calls to the gateway: address, token, pages of a listing. Knows no service and prints nothing."""
