"""SQL for every stateful service: engines, one writer with group commit, migrations, locks.

Knows no table of any service.
"""
