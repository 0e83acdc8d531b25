"""Identity of computations: canonical JSON, NodeIDs and other keys, and the checks of a submitted DAG."""
