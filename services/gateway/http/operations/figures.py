"""Figures as REST answers them: how many there are of what, by status and by channel, and whether one is lost."""

from datetime import datetime
from typing import Any

from contracts.status import Status
from services.gateway.http.notifications.shapes import STATUS
from services.gateway.http.shape import Shape
from services.gateway.store.reading import Figures
from services.gateway.store.recent import Recent
from services.gateway.store.reconciling import Lost


class ChannelFigures(Shape):
    """What became of one channel's notifications; `success_rate` is of those that were sent or failed."""

    total: int
    open: int
    sent: int
    failed: int
    success_rate: float | None = None


class Reconciliation(Shape):
    """The proof that nothing is lost: `accepted` = `final` + `open`, and `lost` is 0.

    `lost` is of the whole house, and for admins: what nobody accounts for, though the services count by themselves. In
    a house of one tenant it is not among `open`, so that `accepted` = `final` + `open` + `lost`.
    """

    accepted: int
    final: int
    open: int
    lost: int | None = None


class Percentiles(Shape):
    """In seconds: half of them took no longer than `p50`, 95 of 100 than `p95`, 99 of 100 than `p99`."""

    p50: float
    p95: float
    p99: float


class RecentFigures(Shape):
    """How the newest notifications fared, up to 1,000 of them, accepted since `since`: `latency_seconds` from
    acceptance to hand-over, of what was due at once; `lateness_seconds` from its time to hand-over, of what had one;
    `copies`: how many may have come twice (`resent` in their timeline)."""

    accepted: int
    since: datetime | None = None
    sent: int
    copies: int
    latency_seconds: Percentiles | None = None
    lateness_seconds: Percentiles | None = None


class Stats(Shape):
    """Figures: by status, by channel, and their sum; for admins, how the newest fared."""

    total: int
    statuses: dict[str, int]
    channels: dict[str, ChannelFigures]
    reconciliation: Reconciliation
    recent: RecentFigures | None = None


_UNSUCCESSFUL = (Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.UNDELIVERED)
_SUCCESSFUL = (Status.SENT, Status.DELIVERED)


def stats(figures: Figures, lost: Lost | None = None, *, whole: bool = False, newest: Recent | None = None) -> Stats:
    """The figures of an owner or a tenant; `lost` in the whole house, `whole` where that is this tenant's."""
    channels = sorted({channel for (channel, _), n in figures.items() if n and channel})
    open_ = _sum(figures, lambda status: not status.is_final)
    total = _sum(figures, lambda _status: True)
    return Stats(
        total=total,
        statuses={status: _sum(figures, lambda s, status=status: s is status) for status in Status},
        channels={channel: _channel(figures, channel) for channel in channels},
        reconciliation=_reconciliation(total, open_, lost, whole),
        recent=_recent(newest) if newest else None,
    )


def _recent(newest: Recent) -> RecentFigures:
    return RecentFigures(
        accepted=newest.accepted,
        since=newest.since,
        sent=newest.sent,
        copies=newest.copies,
        latency_seconds=_percentiles(newest.latency),
        lateness_seconds=_percentiles(newest.lateness),
    )


def _percentiles(seconds: list[float] | None) -> Percentiles | None:
    if not seconds:
        return None
    half, most, nearly_all = (round(one, 3) for one in seconds)
    return Percentiles(p50=half, p95=most, p99=nearly_all)


def _reconciliation(total: int, open_: int, lost: Lost | None, whole: bool) -> Reconciliation:
    shown = lost if lost and whole else Lost(0, 0)
    return Reconciliation(
        accepted=total + shown.uncounted,
        final=total - open_,
        open=open_ - (shown.lost - shown.uncounted),
        lost=lost.lost if lost else None,
    )


def _channel(figures: Figures, channel: str) -> ChannelFigures:
    of = {key: n for key, n in figures.items() if key[0] == channel}
    sent, failed = _sum(of, _SUCCESSFUL.__contains__), _sum(of, _UNSUCCESSFUL.__contains__)
    return ChannelFigures(
        total=sum(of.values()),
        open=_sum(of, lambda status: not status.is_final),
        sent=sent,
        failed=failed,
        success_rate=round(sent / (sent + failed), 4) if sent + failed else None,
    )


def _sum(figures: Any, wanted: Any) -> int:
    return sum(n for (_, rank), n in figures.items() if wanted(STATUS[rank]))
