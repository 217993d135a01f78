"""For those who run an installation: its jobs, its providers, and who is alive.

Needs a token of an admin of the tenant `default`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer, Page

LOOK_AGAIN: Final = 0.5
ENDED: Final = ("done", "failed")
ORDER_SECONDS: Final = 5.0
"""So long the gateway waits for what a sender answers to an order."""
TRIAL_SECONDS: Final = 15.0
"""The same for trying a provider out."""


class JobSeen(Answer):
    """A job; `status` is that of its last run."""

    id: str
    description: str
    services: tuple[str, ...]
    status: str
    last_run: datetime | None = None
    duration_seconds: float | None = None
    next_run: datetime | None = None
    last_result: Mapping[str, Any] | None = None


class RunSeen(Answer):
    """A run of a job: what each service that has a part in it answered; of a clean-up, how many notifications went."""

    run_id: str
    job: str
    state: str
    duration_seconds: float | None = None
    deleted_count: int | None = None
    results: Mapping[str, Any]

    @property
    def has_ended(self) -> bool:
        """All who have a part in it have answered."""
        return self.state in ENDED


class ServiceSeen(Answer):
    """A process of a service: `alive`, `silent` or `stopped`."""

    service: str
    instance: str
    state: str
    heard_at: datetime
    pid: int | None = None
    version: str | None = None
    not_ready: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    """`catching_up`: restored, and before it has read again what has changed since the backup, nothing is fired."""
    archive: str | None = None
    """Of a gateway: the folder that it archives to; all should have the same."""
    timers: Mapping[str, Mapping[str, int]] | None = None
    """Of a scheduler, by kind: `pending` and `overdue`."""


class ProviderSeen(Answer):
    """A provider, the preferred one of its channel first: `open`, `ailing`, `shut`, `paused`, or `unknown` where no
    sender is heard of."""

    name: str
    channel: str
    type: str
    position: int
    state: str
    reason: str | None = None
    detail: str | None = None


class OrderSeen(Answer):
    """What came of a pause, a resume or a test of a provider; `waiting` while its sender has not answered."""

    order_id: str
    provider: str
    order: str
    state: str
    result: Mapping[str, Any] = {}


class ChannelSeen(Answer):
    """A channel that senders carry out: `open`, `paused`, `off` by the settings, or `unknown`."""

    channel: str
    state: str


class ChannelOrderSeen(Answer):
    """What came of a pause or a resume; `waiting` while its sender has not answered."""

    order_id: str
    channel: str
    order: str
    state: str
    result: Mapping[str, Any] | None = None


class Operations:
    """`Operations(tocsin).run("sweep")`. Raises TocsinError like everything of the connection it goes by."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def jobs(self) -> tuple[JobSeen, ...]:
        """What can be run, when it last ran, and when it will run by itself."""
        return self._tocsin.ask(Page[JobSeen], "GET", "/v1/admin/jobs").items

    def run(self, job: str, seconds: float = 60.0, so_far: Callable[[RunSeen], None] = lambda _: None) -> RunSeen:
        """Runs it now; what came of it, or of it so far when the seconds are over. `so_far` hears it at each look while
        it goes on. Raises NotFound."""
        if not job.replace("_", "").isalnum():
            raise NotFound(404, "not_found", f"“{job}” is no name of a job")
        over = time.monotonic() + seconds
        seen = self._tocsin.ask(RunSeen, "POST", f"/v1/admin/jobs/{job}/run")
        while not seen.has_ended and time.monotonic() < over:
            so_far(seen)
            time.sleep(LOOK_AGAIN)
            seen = self._tocsin.ask(RunSeen, "GET", f"/v1/admin/jobs/{job}/runs/{seen.run_id}")
        return seen

    def providers(self) -> tuple[ProviderSeen, ...]:
        """Which providers there are, in which order, and how each does."""
        return self._tocsin.ask(Page[ProviderSeen], "GET", "/v1/admin/providers").items

    def pause(self, provider: str) -> OrderSeen:
        """Gives it nothing more until it is resumed. Raises NotFound."""
        return self._order(provider, "pause")

    def resume(self, provider: str) -> OrderSeen:
        """It may have messages again. Raises NotFound."""
        return self._order(provider, "resume")

    def test(self, provider: str) -> OrderSeen:
        """Tries it out without sending anything: `result` has `ok`, `detail` and `checks`. Raises NotFound."""
        return self._order(provider, "test", TRIAL_SECONDS)

    def _order(self, provider: str, order: str, wait: float = ORDER_SECONDS) -> OrderSeen:
        path = f"/v1/admin/providers/{quote(provider, safe='')}/{order}"
        return self._tocsin.ask(OrderSeen, "POST", path, wait=wait)

    def channels(self) -> tuple[ChannelSeen, ...]:
        """Whether each is open."""
        return self._tocsin.ask(Page[ChannelSeen], "GET", "/v1/admin/channels").items

    def pause_channel(self, channel: str) -> ChannelOrderSeen:
        """Nothing of it is sent until it is resumed. Raises NotFound."""
        return self._order_channel(channel, "pause")

    def resume_channel(self, channel: str) -> ChannelOrderSeen:
        """What has waited is sent. Raises NotFound."""
        return self._order_channel(channel, "resume")

    def _order_channel(self, channel: str, order: str) -> ChannelOrderSeen:
        path = f"/v1/admin/channels/{quote(channel, safe='')}/{order}"
        return self._tocsin.ask(ChannelOrderSeen, "POST", path, wait=ORDER_SECONDS)

    def services(self) -> tuple[ServiceSeen, ...]:
        """Every process that was heard of lately."""
        return self._tocsin.ask(Page[ServiceSeen], "GET", "/v1/admin/services").items
