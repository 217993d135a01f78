"""For those who run the installation: a whole channel paused by hand, and resumed; what comes meanwhile waits."""

from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends
from pydantic_core import from_json
from starlette.responses import Response

from contracts.jobs import PAUSE, RESUME
from contracts.status import Channel
from contracts.topics import SENDER_OF
from kit.settings import Settings
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.operations.orders import Ordered, about, answered, ordered
from services.gateway.http.operations.routes import SILENT_AFTER, check_operator
from services.gateway.http.problems import Problem
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store import operations

SENT: Final = (Channel.EMAIL, Channel.SMS)
"""Those that a sender carries out. The inbox is this gateway's own, and waits for nobody."""


class ChannelShown(Shape):
    """`open`, `paused` by hand, `off` by the settings (requests are refused), or `unknown`: no sender is heard of."""

    channel: str
    state: Literal["open", "paused", "off", "unknown"]


class ChannelList(Shape):
    """All that can be paused."""

    items: tuple[ChannelShown, ...]


class ChannelOrder(Ordered):
    """What was asked, and what its sender answered."""

    channel: str


def router(desk: Desk) -> APIRouter:
    """The routes of channels."""
    routes = APIRouter(prefix="/v1/admin/channels", tags=["operations"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]
    answers = {202: {"model": ChannelOrder}, **problems(403, 404, 503)}

    @routes.get("", response_model=ChannelList, responses=problems(403, 503))
    async def channels(caller: Known) -> Response:
        """Whether each is open."""
        check_operator(caller)
        async with desk.front.connection() as connection:
            found = await operations.instances(connection, SILENT_AFTER)
        told = [from_json(one.about) for one, _ in found if one.state == "alive"]
        paused = {name: switch for one in told for name, switch in (one.get("channels") or {}).items()}
        items = tuple(ChannelShown(channel=name, state=_state(desk.settings, name, paused)) for name in SENT)
        return ChannelList(items=items).response()

    @routes.post("/{channel}/pause", response_model=ChannelOrder, responses=answers)
    async def pause(caller: Known, channel: str) -> Response:
        """Give nothing of it to any provider until it is resumed, also over restarts. What comes meanwhile waits, until
        it expires."""
        return await _order(caller, channel, "pause", PAUSE)

    @routes.post("/{channel}/resume", response_model=ChannelOrder, responses=answers)
    async def resume(caller: Known, channel: str) -> Response:
        """What has waited is sent. A provider that was paused by itself stays so."""
        return await _order(caller, channel, "resume", RESUME)

    async def _order(caller: Caller, name: str, order: str, command: str) -> Response:
        check_operator(caller)
        channel = _known(name)
        run = await ordered(desk, caller, command, SENDER_OF[channel].name, {"channel": channel})
        shown = ChannelOrder.model_validate({"channel": channel, "order": order} | about(run))
        return answered(shown)

    return routes


def _known(name: str) -> Channel:
    if name in SENT:
        return Channel(name)
    raise Problem(HTTPStatus.NOT_FOUND, "not_found", f"no such channel can be paused; there are: {', '.join(SENT)}")


def _state(settings: Settings, name: Channel, paused: dict[str, bool]) -> Literal["open", "paused", "off", "unknown"]:
    told = settings.notifications
    if not (told.email if name is Channel.EMAIL else told.sms).enabled:
        return "off"
    if name not in paused:
        return "unknown"
    return "paused" if paused[name] else "open"
