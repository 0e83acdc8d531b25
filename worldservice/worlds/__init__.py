"""What a world is, who belongs to it, and the audited write that every change uses. Decides nothing."""
