"""Does the gateway answer and take our token, is everybody alive and ready, are providers well, are limits used up?"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from cli.doctor import flowing
from cli.doctor.finding import Finding, note, skipped, trouble, well
from cli.doctor.refusal import why_refused
from cli.gateway import address
from cli.tokens import minted
from cli.ways import way_here
from client.errors import TocsinError, TokenRefused
from client.operations import Operations, ServiceSeen
from client.rest import Tocsin
from client.shapes import Answer
from client.webhooks import Webhooks
from contracts.topics import SERVICES
from deploy.local.trouble import Trouble
from kit.restored import CATCHING_UP
from kit.settings import Settings, SettingsError, masked

CHECKS: Final = ("gateway", "token", "services", "restart", "providers", "limits", "jobs", "webhooks", "stream")
RESTORED: Final = "reads again what has changed since the backup: until then nothing is fired that waits for its time"
SHARE: Final = (
    "give all of them one TOCSIN_ARCHIVE_DIR that they share, and move the archives there: until then nothing is "
    "cleaned up, and who is forgotten is forgotten in one of them only"
)
READ_AGAIN: Final = (
    "wait; `tocsin topics` shows how far intake and the scheduler are; look at the one that does not move"
)
TIMEOUT: Final = 4.0
SECONDS: Final = 25.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the gateway is and as whom it is asked, where not as the settings say; `user`: whose limits to look at."""

    url: str | None = None
    token: str | None = None
    user: str | None = None


async def running(settings: Settings, asked: Asked) -> list[Finding]:
    """All of it, in a thread: the client waits."""
    return await asyncio.to_thread(_running, settings, asked)


def _running(settings: Settings, asked: Asked) -> list[Finding]:
    url = asked.url or address(settings)
    own = _own(settings)
    gateway = _gateway(url)
    if gateway.state == "trouble":
        why = "the gateway does not answer"
        services = _services(own, [])
        return [gateway, skipped("token", why), *services, *(skipped(one, why) for one in CHECKS[3:])]
    try:
        token = asked.token or minted(settings, "doctor", role="admin").token
    except (Trouble, SettingsError) as error:
        none = note("token", f"there is none to ask with ({error})", "give --token, one of an admin of `default`")
        return [gateway, none, *_services(own, []), *(skipped(one, "there is no token") for one in CHECKS[3:])]
    with Tocsin(url, token, timeout=TIMEOUT) as tocsin:
        told = _token(tocsin, token, settings)
        if told.state == "trouble":
            return [gateway, told, *_services(own, []), *(skipped(one, "our token is refused") for one in CHECKS[3:])]
        return [gateway, told, *_asked(tocsin, settings, own, asked.user)]


def _asked(tocsin: Tocsin, settings: Settings, own: Mapping[str, Any], user: str | None) -> list[Finding]:
    """What only an admin is told; each by itself and at once, so that one that hangs or is refused hides no other."""
    operations = Operations(tocsin)
    looks: dict[str, Callable[[], Iterable[Finding]]] = {
        "services": lambda: _services(own, operations.services()),
        "restart": lambda: [_restart(tocsin, settings)],
        "providers": lambda: flowing.providers(operations.providers()),
        "limits": lambda: [flowing.limits(tocsin, settings, user)],
        "jobs": lambda: flowing.jobs(operations.jobs()),
        "webhooks": lambda: flowing.webhooks(Webhooks(tocsin).all()),
        "stream": lambda: [flowing.stream(tocsin)],
    }

    def found(check: str) -> list[Finding]:
        try:
            return list(looks[check]())
        except TocsinError as error:
            return [trouble(check, f"the gateway does not say ({error})", "look into its log")]

    with ThreadPoolExecutor(max_workers=len(looks)) as pool:
        return [finding for findings in pool.map(found, looks) for finding in findings]


def _gateway(url: str) -> Finding:
    """Whoever brings no token is told so, in words of ours; its health may be on a port of its own."""
    strange = trouble("gateway", f"what answers at {url} is not Tocsin", "look at GATEWAY_PORT, or give --url")
    try:
        told = httpx.get(f"{url}/v1/stats", timeout=TIMEOUT).json()
    except httpx.TransportError as error:
        remedy = (
            f"{way_here().starts('gateway')} starts it; --url says where it is instead; behind a proxy, look there, too"
        )
        return trouble("gateway", f"the gateway does not answer at {url} ({type(error).__name__})", remedy)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return strange
    ours = isinstance(told, dict) and told.get("code") == "unauthorized"
    return well("gateway", f"answers at {url}") if ours else strange


def _token(tocsin: Tocsin, token: str, settings: Settings) -> Finding:
    try:
        tocsin.ask(Answer, "GET", "/v1/stats")
    except TokenRefused:
        what, remedy = why_refused(token, settings, datetime.now(UTC))
        return trouble("token", what, remedy)
    except TocsinError as error:
        return note("token", f"nobody can say whether it is good ({error})")
    return well("token", "it is taken")


def _own(settings: Settings) -> dict[str, Any]:
    """What each service of this machine says at its health port; None: nobody is there."""
    hosts = {name: (settings.ports.host, settings.ports.of(name)) for name in SERVICES}
    if settings.ports.gateway is None:
        hosts["gateway"] = settings.gateway.host, settings.gateway.port
    return {
        name: _ready_at("127.0.0.1" if host in ("0.0.0.0", "::") else host, port)
        for name, (host, port) in hosts.items()
    }


def _ready_at(host: str, port: int | None) -> dict[str, Any] | None:
    if port is None:
        return None
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        told = json.loads(connection.getresponse().read(65_536))
        return told if isinstance(told, dict) and "ready" in told else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _services(own: Mapping[str, Any], heard: Sequence[ServiceSeen]) -> list[Finding]:
    """Here by its port, elsewhere by its heartbeats."""
    found = [finding for name in SERVICES for finding in _service(name, own.get(name), heard)]
    folders = {one.archive for one in heard if one.state == "alive" and one.archive}
    if len(folders) > 1:
        found.append(trouble("services", f"the gateways archive to {len(folders)} folders", SHARE))
    return found or [well("services", f"all {len(SERVICES)} are there and ready")]


def _service(name: str, here: Mapping[str, Any] | None, heard: Sequence[ServiceSeen]) -> Iterator[Finding]:
    """What it says itself is newer than its last heartbeat."""
    mine = [one for one in heard if one.service == name]
    alive = [one for one in mine if one.state == "alive" and not _died_here(one)]
    if here is None and not alive:
        last = max((one.heard_at for one in mine), default=None)
        since = f", and was last heard of at {last:%H:%M:%S}Z" if last else ""
        remedy = f"{way_here().starts(name)} starts it; {way_here().log_of(name)} says why it ended"
        yield trouble("services", f"{name} does not run{since}", remedy)
        return
    lacks = here.get("degraded", ()) if here else [part for one in alive for part in one.degraded]
    if CATCHING_UP in lacks:
        yield note("services", f"{name} {RESTORED}", READ_AGAIN)
    waits = here.get("not_ready", ()) if here else [part for one in alive for part in one.not_ready]
    if waits:
        remedy = f"look at the other troubles first, then into {way_here().log_of(name)}"
        yield trouble("services", f"{name} is not ready: it waits for {', '.join(waits)}", remedy)


def _died_here(one: ServiceSeen) -> bool:
    """A process of this machine that is gone, and not yet missed: silence counts after twenty seconds only."""
    host, _, pid = one.instance.rpartition("/")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _restart(tocsin: Tocsin, settings: Settings) -> Finding:
    """A setting that was changed is in force after a restart."""
    theirs = tocsin.ask(Answer, "GET", "/v1/admin/configuration").model_dump()
    ours = masked(settings)
    differ = sorted(_differences(ours.get("notifications"), theirs.get("notifications"), "notifications"))
    if not differ:
        return well("restart", "the gateway runs with these settings")
    more = f" and {len(differ) - 1} more" if len(differ) > 1 else ""
    again = f"start all of them again ({way_here().starts_again('gateway')})"
    return note("restart", f"the gateway runs with another {differ[0]}{more}", again)


def _differences(ours: object, theirs: object, place: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in ours.keys() | theirs.keys():
            yield from _differences(ours.get(name), theirs.get(name), f"{place}.{name}")
    elif ours != theirs:
        yield place
