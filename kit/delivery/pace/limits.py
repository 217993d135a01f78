"""The paces that the settings ask for, by the name of the provider."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kit.delivery.pace.rules import Limit, Unit
from kit.settings import LimitSettings, ProviderSection

TOGETHER: Final = "all together"


def paces(providers: Iterable[ProviderSection], limits: LimitSettings) -> Mapping[str, Sequence[Limit]]:
    """Each provider's own, and the one that all keep together."""
    together = [Limit(TOGETHER, "minute", limits.overall.minute, shared=True)] if limits.overall.minute else []
    return {one.name: [*_of(one), *together] for one in providers}


def _of(told: ProviderSection) -> list[Limit]:
    units: dict[Unit, int | None] = {"second": told.per_second, "minute": told.per_minute, "day": told.quota_per_day}
    return [Limit(told.name, unit, most) for unit, most in units.items() if most]
