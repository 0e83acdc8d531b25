"""Metrics of worldservice: fences that brokerage has not confirmed, worlds lowered unasked, refused writes."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class WorldMetrics:
    """Counters and gauges in the process's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self.fences_pending = gauge("qmtl_world_fences_pending", "Worlds whose fence brokerage has not confirmed.")
        self.lowered = counter("qmtl_world_lowered_total", "Worlds lowered without being asked.", ["reason"])
        self.undecided = counter("qmtl_world_undecided_total", "Rounds in which a world could not be decided.")
        self.limits_pending = gauge(
            "qmtl_world_risk_limits_pending", "Accounts whose limits brokerage has not confirmed."
        )
        self.risk_snapshots = counter("qmtl_world_risk_snapshots_total", "Risk snapshots put.", ["result"])
        self.risk_report_seconds = Histogram(
            "qmtl_world_risk_report_seconds", "Time to read, check and report on a snapshot.", registry=registry
        )
        self.risk_breaches = counter("qmtl_world_risk_breaches_total", "Breaches of risk rules.", ["rule", "act"])
        self.risk_snapshot_age = gauge(
            "qmtl_world_risk_snapshot_age_seconds", "Age of the newest snapshot.", ["scope", "stage"]
        )
        self.risk_forecasts_missing = counter(
            "qmtl_world_risk_forecast_missing_total", "UTC days that ended without a forecast.", ["scope", "stage"]
        )
        self.budgets_pending = gauge(
            "qmtl_world_budgets_pending", "Accounts whose budgets brokerage does not have yet."
        )
        self.rebalance_runs = counter("qmtl_world_rebalance_runs_total", "Rebalancing runs by state.", ["state"])
        self.legs_dropped = counter(
            "qmtl_world_rebalance_legs_dropped_total", "Dropped legs of recorded plans.", ["reason"]
        )
        self.allocation_revision = gauge(
            "qmtl_world_allocation_revision", "Revision of the shares in force.", ["account"]
        )
        self.capital_utilisation = gauge(
            "qmtl_world_capital_utilisation_ratio", "Gross exposure over budget.", ["account", "world_id"]
        )
        self.rebalance_slippage = Histogram(
            "qmtl_world_rebalance_slippage_bps", "Average price of a leg against its plan's mark; above 0 is a loss.",
            registry=registry, buckets=(-20.0, -5.0, 0.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0),
        )  # fmt: skip
        self.rebalance_residual = gauge(
            "qmtl_world_rebalance_residual", "Lots of the newest plan that are no leg's; want 0."
        )
        self.campaigns = gauge("qmtl_world_campaigns", "Bound strategies, by phase of their campaign.", ["phase"])
        self.campaign_actions = counter(
            "qmtl_world_campaign_actions_total", "Acts on campaigns that were carried out here.", ["kind"]
        )
        self.promotions = counter("qmtl_world_promotions_total", "Promotions that ended.", ["result"])
        self.promotion_blocks = counter(
            "qmtl_world_promotion_blocks_total", "Blocks that refused an act, one of each reason a refusal.", ["reason"]
        )
        self.divergence_verdicts = counter(
            "qmtl_world_divergence_verdicts_total", "Divergence reports that were stored.", ["verdict"]
        )
        self.divergence_residual = gauge(
            "qmtl_world_divergence_pnl_residual", "Profit that no term of the newest report explains; want 0."
        )
        self.closings = counter("qmtl_world_closings_total", "Closings of demoted positions, by state.", ["state"])
        self.refusals = counter("qmtl_world_refusals_total", "Refused writes.", ["rpc", "reason"])
