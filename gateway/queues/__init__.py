"""Data queues: who may read or write one, producers' leases and records."""
