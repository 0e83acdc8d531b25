"""What seamless counts, in the process's own registry. Labels are preset names and outcomes, both bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PHASE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 5.0, 15.0, 45.0, 60.0)


class SeamlessMetrics:
    """Counters and histograms of fetches, ingests and replays."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.fetched_rows = Counter(
            "seamless_fetched_rows_total", "Rows delivered by Fetch.", ["preset"], registry=registry
        )
        self.phase_seconds = Histogram(
            "seamless_fetch_phase_seconds",
            "Time of one phase of a fetch.",
            ["phase"],
            buckets=_PHASE_BUCKETS_S,
            registry=registry,
        )
        self.breaches = Counter("seamless_sla_breaches_total", "Budgets run out of.", ["phase"], registry=registry)
        self.ingests = Counter("seamless_ingests_total", "Deliveries judged.", ["preset", "outcome"], registry=registry)
        self.replayed_bars = Counter(
            "seamless_replay_bars_total", "Bars released by replay sessions.", registry=registry
        )
        self.backfill_ratio = Gauge(
            "seamless_backfill_completion_ratio",
            "Settled share of the newest backfill.",
            ["dataset"],
            registry=registry,
        )
        self.backfilled_rows = Counter(
            "seamless_backfilled_rows_total", "Bars fetched from a source.", ["dataset"], registry=registry
        )
        self.live_bars = Counter("seamless_live_bars_total", "Bars of live feeds.", ["preset"], registry=registry)
        self.live_breaks = Counter(
            "seamless_live_breaks_total", "Times a live feed had no answer.", ["preset"], registry=registry
        )
        self.live_corrections = Counter(
            "seamless_live_corrections_total", "Bars corrected after their close.", ["preset"], registry=registry
        )
        self.live_lost = Counter(
            "seamless_live_lost_bars_total",
            "Bars that a live feed went past without them.",
            ["preset"],
            registry=registry,
        )
        self.live_streams = Counter(
            "seamless_live_streams_total", "Websockets of live bars that were opened.", ["preset"], registry=registry
        )
        self.backfill_attempts = Counter(
            "seamless_backfill_failed_attempts_total", "Attempts that failed.", ["error"], registry=registry
        )
