"""What seamless counts, in the process's own registry. Labels are preset names and outcomes, both bounded."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PHASE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 5.0, 15.0, 45.0, 60.0)


class SeamlessMetrics:
    """Counters and histograms of fetches, ingests and replays."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self.fetched_rows = counter("seamless_fetched_rows_total", "Rows delivered by Fetch.", ["preset"])
        self.phase_seconds = histogram(
            "seamless_fetch_phase_seconds", "Time of one phase of a fetch.", ["phase"], buckets=_PHASE_BUCKETS_S
        )
        self.breaches = counter("seamless_sla_breaches_total", "Budgets run out of.", ["phase"])
        self.ingests = counter("seamless_ingests_total", "Deliveries judged.", ["preset", "outcome"])
        self.replayed_bars = counter("seamless_replay_bars_total", "Bars released by replay sessions.")
        self.backfill_ratio = gauge(
            "seamless_backfill_completion_ratio", "Settled share of the newest backfill.", ["dataset"]
        )
        self.backfilled_rows = counter("seamless_backfilled_rows_total", "Bars fetched from a source.", ["dataset"])
        self.live_bars = counter("seamless_live_bars_total", "Bars of live feeds.", ["preset"])
        self.live_breaks = counter("seamless_live_breaks_total", "Times a live feed had no answer.", ["preset"])
        self.live_corrections = counter(
            "seamless_live_corrections_total", "Bars corrected after their close.", ["preset"]
        )
        self.live_lost = counter(
            "seamless_live_lost_bars_total", "Bars that a live feed went past without them.", ["preset"]
        )
        self.live_streams = counter(
            "seamless_live_streams_total", "Websockets of live bars that were opened.", ["preset"]
        )
        self.live_member_lag = gauge(
            "seamless_live_member_lag_seconds",
            "Data time from the close that a feed owes to the furthest of its universe.",
            ["preset", "member"],
        )
        self.backfill_attempts = counter("seamless_backfill_failed_attempts_total", "Attempts that failed.", ["error"])
