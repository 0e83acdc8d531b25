"""DAG Manager: owner of the global strategy graph, of plans, queues and version sentinels."""
