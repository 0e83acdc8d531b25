"""Fixtures every room may use: a real nats-server, a real PostgreSQL, both SQL dialects."""

from hypothesis import settings

pytest_plugins = ["tests.support.nats", "tests.support.outbox_store", "tests.support.postgres"]

settings.register_profile("qmtl", deadline=None)  # a busy machine is no failure; pytest-timeout bounds each test
settings.load_profile("qmtl")
