"""The SDK's side of a running mesh: submitting, reusing node outputs, paper sessions.
Speaks to the gateway only and decides nothing that a service decides.
"""
