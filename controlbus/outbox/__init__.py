"""State and the event that tells of it commit together; the relay publishes afterwards, in order per key."""
