"""Fixtures every room may use: a real nats-server, a real PostgreSQL, both SQL dialects."""

from hypothesis import settings

pytest_plugins = ["tests.support.disks", "tests.support.nats", "tests.support.outbox_store", "tests.support.postgres"]

# A busy machine is no failure: pytest-timeout bounds each test. And a failure must come again: the suite draws the same
# examples each time, `make soak` draws new ones.
settings.register_profile("qmtl", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None, print_blob=True)
settings.load_profile("qmtl")
