"""Monitoring: metrics of the mesh that say whether this strategy may and can trade. Reads, never feeds a node."""


def monitors() -> tuple[str, ...]:
    """Names of the metrics that `alerts.yaml` looks at."""
    return (
        "qmtl_gateway_level",
        "qmtl_gate_session_valid",
        "qmtl_outage",
        "qmtl_outbox_oldest_age_seconds",
        "qmtl_credential_expires_timestamp_seconds",
    )
