"""Drops queues and sentinels that are past their time, once archived. Never touches what it did not create."""
