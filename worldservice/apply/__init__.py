"""Two-phase apply as a durable run. Opens only what brokerage has confirmed."""
