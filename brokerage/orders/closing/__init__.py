"""Closing what demoted strategies hold by reducing orders of brokerage's own, one after the other."""
