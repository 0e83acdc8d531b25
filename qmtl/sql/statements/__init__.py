"""Statements as services send them: compiled once, sent without waiting where the database can, long lists in parts."""
