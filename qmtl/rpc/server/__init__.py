"""The server every service runs: what happens around each inbound call, health and reflection."""
