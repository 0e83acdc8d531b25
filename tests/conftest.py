"""Fixtures every room may use: a real nats-server, a real PostgreSQL, both SQL dialects."""

pytest_plugins = ["tests.support.nats", "tests.support.postgres"]
