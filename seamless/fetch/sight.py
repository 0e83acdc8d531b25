"""What one fetch may see: the domain decides which kinds of data, the context or the session of which time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Span, intersect
from qmtl.core.errors import NotReady
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.core.modes import ExecutionDomain
from seamless.artifacts.inventory import Inventory
from seamless.domain import admission
from seamless.domain.admission import MIXING, Admission, Origin
from seamless.domain.fetch_plan import FetchPlan, FetchQuery, Holding, plan_fetch
from seamless.domain.manifests import Manifest
from seamless.domain.sessions.playback import place_of
from seamless.domain.stored import StoredCoverage
from seamless.live.sessions import LiveSessions
from seamless.presets.preset import Preset
from seamless.replay.sessions import ReplaySessions
from seamless.storage.storage import Storage

NOTHING = StoredCoverage()


@dataclass(frozen=True, slots=True)
class Sight:
    """The sealed artifact, if there is one, what is stored, and since when bars came from the live feed."""

    domain: ExecutionDomain
    access: Admission
    manifest: Manifest | None
    stored: StoredCoverage = NOTHING
    live_since_ns: int | None = None

    @property
    def known_ns(self) -> int:
        """The close of the newest bar that is there, or that a source said never was."""
        ends = [spans[-1].end_ns for spans in (self.stored.have, self.stored.empty) if spans]
        return max([self.manifest.watermark_ns if self.manifest else 0, *ends])

    @property
    def as_of_ns(self) -> int:
        """The snapshot that is seen. Sealed and stored bars only grow, so it never goes back."""
        newest = [self.manifest.as_of_ns] if self.manifest else []
        if self.stored.have:
            end_ns, horizon_ns = self.stored.have[-1].end_ns, self.access.horizon_ns
            newest.append(end_ns if horizon_ns is None else min(end_ns, horizon_ns))
        return max(newest)

    @property
    def span(self) -> Span:
        """From the first bar that is there to the last."""
        found = [self.manifest.span] if self.manifest else []
        found += [self.stored.have[0], self.stored.have[-1]] if self.stored.have else []
        return Span(min(one.start_ns for one in found), max(one.end_ns for one in found))

    def due_ns(self, calendar: Calendar, interval_ns: int, now_ns: int) -> int:
        """The close of the earliest bar that is expected and not known by now; none: now."""
        expected = calendar.expected(Span(self.known_ns, max(self.known_ns, now_ns)), interval_ns)
        return min(now_ns, expected[0].start_ns + interval_ns) if expected else now_ns

    def plan(self, preset: Preset, ask: FetchQuery) -> FetchPlan:
        """Who delivers which span: a dry run prefers what is sealed already, a live one the newest word."""
        interval_ns, known = preset.dataset.interval_ns, self.stored
        sealed = [Holding(Origin.ARTIFACT, (one.span,), one.coverage) for one in (self.manifest,) if one]
        stored = [Holding(Origin.STORAGE, known.read, known.have, known.empty, known.outage)]
        if self.live_since_ns is not None:
            since = (Span(self.live_since_ns, max(self.live_since_ns, self.known_ns)),)
            stored.insert(0, Holding(Origin.LIVE, (), intersect(known.have, since)))
        holdings = [*stored, *sealed] if self.domain in MIXING else [*sealed, *stored]
        return plan_fetch(ask.range.over(self.span, interval_ns), interval_ns, preset.calendar, self.access, holdings)


class Sights:
    """Works out what fetches may see."""

    def __init__(self, inventory: Inventory, storage: Storage, sessions: ReplaySessions, live: LiveSessions) -> None:
        self._inventory = inventory
        self._storage = storage
        self._sessions = sessions
        self._live = live

    async def of(self, preset: Preset, ask: FetchQuery) -> Sight:
        """What decides is the data session, of a dry run the fingerprint, else as_of, the fingerprint, the newest.

        Raises what `admission.admit` and `Inventory.seen_at` raise, NotFound (E_DATA_SESSION_UNKNOWN).
        """
        if ask.domain is None:
            manifest = await self._inventory.seen_at(preset, None)
            access = admission.admit(ExecutionDomain.BACKTEST, manifest.as_of_ns, None)
            return Sight(ExecutionDomain.BACKTEST, access, manifest)
        if ask.session_id:
            return await self._of_session(preset, ask, ask.domain)
        if ask.fingerprint and (ask.as_of_ns is None or ask.domain is ExecutionDomain.DRYRUN):
            manifest = await self._by_fingerprint(preset, ask.fingerprint, ask.as_of_ns)
            access = admission.admit(ask.domain, ask.as_of_ns or manifest.as_of_ns, None)
            return Sight(ask.domain, access, manifest)
        access = admission.admit(ask.domain, ask.as_of_ns, None)
        if ask.domain is ExecutionDomain.BACKTEST:
            return Sight(ask.domain, access, await self._inventory.seen_at(preset, ask.as_of_ns))
        return await self._mixed(preset, ask.domain, access)

    async def _of_session(self, preset: Preset, ask: FetchQuery, domain: ExecutionDomain) -> Sight:
        live = await self._live.find(ask.session_id)
        if live is not None:
            if place_of(live.members, str(preset.dataset)) is None:
                raise NotReady("E_ARTIFACT_MISSING", f"data session {live.session_id} is on {live.preset}")
            clock = self._live.clock_of(live)
            clock.require_begun()
            return await self._mixed(preset, domain, admission.admit(domain, ask.as_of_ns, clock.watermark_ns))
        replay = await self._sessions.find(ask.session_id)
        place = place_of(replay.members, str(preset.dataset))
        if place is None:
            raise NotReady("E_ARTIFACT_MISSING", f"data session {replay.session_id} plays {replay.preset}")
        if replay.recorded:  # of what was before it, what is known now
            horizon_ns = min(replay.watermark_ns, replay.span.start_ns)
            access = admission.admit(domain, ask.as_of_ns, horizon_ns)
            return await self._mixed(preset, domain, replace(access, as_of_ns=None))
        access = admission.admit(domain, ask.as_of_ns, replay.watermark_ns)
        return Sight(domain, access, await self._sessions.source(replay, replay.members[place]))

    async def _mixed(self, preset: Preset, domain: ExecutionDomain, access: Admission) -> Sight:
        """Sealed and stored bars together; a dry run has the version of its as_of, and no newer one.

        Raises as `Inventory.seen_at` where there is neither.
        """
        self._inventory.require_ready(preset)
        stored = await self._storage.coverage(preset.dataset)
        as_of_ns = None if access.horizon_ns is None else access.as_of_ns  # of a live one it is the least that it wants
        find = self._inventory.newest if stored.have else self._inventory.seen_at
        newest = await find(preset, as_of_ns)
        return Sight(domain, access, newest, stored, self._live.began_ns(preset.name))

    async def _by_fingerprint(self, preset: Preset, fingerprint: str, as_of_ns: int | None) -> Manifest:
        """Raises NotReady (E_ARTIFACT_MISSING) where there is none, or it was sealed after the as_of."""
        self._inventory.require_ready(preset)
        manifest = await self._inventory.artifact(fingerprint)
        if manifest is None or manifest.dataset != str(preset.dataset):
            raise NotReady("E_ARTIFACT_MISSING", f"{preset.dataset} has no artifact {fingerprint!r}")
        if as_of_ns is not None and as_of_ns < manifest.as_of_ns:
            sealed = timestamp_text(from_ns(manifest.as_of_ns))
            raise NotReady("E_ARTIFACT_MISSING", f"{fingerprint} of {preset.dataset} is as of {sealed}, later")
        return manifest
