"""The built-in node types of this build: served to clients, and what submitted DAGs are checked against.
Knows no submission and no store.
"""
