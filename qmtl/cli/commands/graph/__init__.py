"""Commands about the global graph: drawings, queues and their records, version sentinels, garbage."""
