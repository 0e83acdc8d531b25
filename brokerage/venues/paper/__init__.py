"""The paper venue: what has reached it and what bars do to it."""
