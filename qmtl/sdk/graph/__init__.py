"""The graph of a strategy: vertices with their NodeIDs, schemas, names, and the checks of a whole DAG.
Runs nothing and holds no data.
"""
