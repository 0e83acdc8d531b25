"""Queues as rows, the tag queries over them and who watches those, their records at the broker. Knows no plan."""
