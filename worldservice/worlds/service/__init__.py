"""The RPCs of worlds, of access to them and of the audit log."""
