"""For those who run the installation: how each provider does, pausing one by hand, trying one out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic_core import from_json
from starlette.responses import Response

from contracts.jobs import PAUSE, RESUME, TEST_CONNECTION
from contracts.status import Channel
from contracts.topics import SENDER_OF
from kit.settings import Settings
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.operations import orders
from services.gateway.http.operations.routes import SILENT_AFTER, check_operator
from services.gateway.http.problems import Problem
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store import operations

TRIAL_PATIENCE: Final = 15.0
"""Seconds that a trial may take before it is answered with 202: it takes ten where nobody answers there."""
UNKNOWN: Final = "unknown"
WORST: Final = ("shut", "ailing", "paused", "used_up", "open")
"""The state that is shown where instances differ: the first of these."""

Order = Literal["pause", "resume", "test"]
_COMMANDS: Final[Mapping[Order, str]] = {"pause": PAUSE, "resume": RESUME, "test": TEST_CONNECTION}


class AtInstance(Shape):
    """How a process finds it: `open`; `ailing` (it does badly, and others are preferred), `shut` (it is given one
    message at a time, to see), `paused` (by hand), `used_up` (what may be given to it in a day; `opens_at`)."""

    instance: str
    state: str
    reason: str | None = None
    detail: str | None = None
    opens_at: datetime | None = None
    heard_at: datetime


class ProviderShown(Shape):
    """A provider of the settings, the preferred one of a channel first; `unknown`: no sender is heard of."""

    name: str
    channel: str
    type: str
    position: int
    state: str
    reason: str | None = None
    detail: str | None = None
    opens_at: datetime | None = None
    instances: tuple[AtInstance, ...] = ()


class ProviderList(Shape):
    """All of them."""

    items: tuple[ProviderShown, ...]


class OrderShown(orders.Ordered):
    """What was asked, and what its sender answered: of a test `{ok, detail, checks: [{name, ok, detail}]}`."""

    provider: str
    channel: str


def router(desk: Desk) -> APIRouter:
    """The routes of providers."""
    routes = APIRouter(prefix="/v1/admin/providers", tags=["operations"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]
    answers = {202: {"model": OrderShown}, **problems(403, 404, 503)}

    @routes.get("", response_model=ProviderList, responses=problems(403, 503))
    async def providers(caller: Known) -> Response:
        """Which there are, in which order, and how each does."""
        check_operator(caller)
        return ProviderList(items=await all_providers(desk)).response()

    @routes.post("/{provider}/pause", response_model=OrderShown, responses=answers)
    async def pause(caller: Known, provider: str) -> Response:
        """Give it nothing more until it is resumed, also over restarts: others go on, or everything waits."""
        return orders.answered(await ordered(desk, caller, provider, "pause"))

    @routes.post("/{provider}/resume", response_model=OrderShown, responses=answers)
    async def resume(caller: Known, provider: str) -> Response:
        """It may have messages again."""
        return orders.answered(await ordered(desk, caller, provider, "resume"))

    @routes.post("/{provider}/test", response_model=OrderShown, responses=answers)
    async def test(caller: Known, provider: str) -> Response:
        """Try it out without sending anything: is it there, is it private, does it know us, may we send as we say?"""
        return orders.answered(await ordered(desk, caller, provider, "test", TRIAL_PATIENCE))

    return routes


async def all_providers(desk: Desk) -> tuple[ProviderShown, ...]:
    """Those of the settings, with what the senders that are alive say of them."""
    async with desk.front.connection() as connection:
        found = await operations.instances(connection, SILENT_AFTER)
    told = [(one.name, one.heard_at, from_json(one.about)) for one, _ in found if one.state == "alive"]
    return tuple(_shown(*known, told) for known in _known(desk.settings))


async def ordered(desk: Desk, caller: Caller, name: str, order: Order, seconds: float | None = None) -> OrderShown:
    """Orders it from the channel's sender; what that has answered when it has, or when the time is over. Raises
    Problem 403, 404, 503."""
    check_operator(caller)
    channel = _channel_of(desk.settings, name)
    run = await orders.ordered(desk, caller, _COMMANDS[order], SENDER_OF[channel].name, {"provider": name}, seconds)
    return OrderShown.model_validate({"provider": name, "channel": channel, "order": order} | orders.about(run))


def _known(settings: Settings) -> Iterable[tuple[str, Channel, str, int]]:
    for channel, providers in ((Channel.EMAIL, settings.email_providers), (Channel.SMS, settings.sms_providers)):
        for position, provider in enumerate(providers, 1):
            yield provider.name, channel, provider.type, position


def _channel_of(settings: Settings, name: str) -> Channel:
    known = {known: channel for known, channel, _, _ in _known(settings)}
    if name not in known:
        raise Problem(HTTPStatus.NOT_FOUND, "not_found", f"there is no such provider; there are: {', '.join(known)}")
    return known[name]


def _shown(
    name: str, channel: Channel, kind: str, position: int, told: Sequence[tuple[str, datetime, Mapping[str, Any]]]
) -> ProviderShown:
    at = [
        AtInstance(
            instance=instance,
            state=one["state"],
            reason=one.get("reason"),
            detail=one.get("detail"),
            opens_at=one.get("opens_at"),
            heard_at=heard_at,
        )
        for instance, heard_at, about in told
        for one in about.get("providers", ())
        if (one["name"], one["channel"]) == (name, channel)
    ]
    worst = min(at, key=lambda one: WORST.index(one.state) if one.state in WORST else 0, default=None)
    return ProviderShown(
        name=name,
        channel=channel,
        type=kind,
        position=position,
        state=worst.state if worst else UNKNOWN,
        reason=worst.reason if worst else None,
        detail=worst.detail if worst else None,
        opens_at=worst.opens_at if worst else None,
        instances=tuple(at),
    )
