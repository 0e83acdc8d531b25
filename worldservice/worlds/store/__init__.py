"""Rows of worlds, bindings, approvals, role grants, sessions and the audit log. Publishes nothing."""
