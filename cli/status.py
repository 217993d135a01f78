"""`tocsin status`: services, lanes, timers, jobs and providers in one screen; with `--watch`, as they change."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from functools import partial
from os import environ
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from aiokafka.errors import KafkaError
from rich.live import Live
from rich.text import Text

from cli.gateway import OPERATOR, Token, Url, gateway
from cli.output import Json, aligned, as_shown, emit, moment
from cli.place import root
from cli.stack import shown, stack_of_here
from cli.timeline import console
from cli.topics import GroupSeen, look
from client.errors import TocsinError
from client.operations import ChannelSeen, JobSeen, Operations, ProviderSeen, ServiceSeen
from contracts.topics import SERVICES
from deploy.local.trouble import Trouble
from kit.settings import SettingsError, load

if TYPE_CHECKING:
    from deploy.local.stack import Status

EVERY: Final = 2.0
"""Seconds between two looks of `--watch`."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the gateway tells; nothing where it does not answer, or there is no secret for a token."""

    instances: Sequence[ServiceSeen] = ()
    jobs: Sequence[JobSeen] = ()
    providers: Sequence[ProviderSeen] = ()
    channels: Sequence[ChannelSeen] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it at one time. `here` is None where nothing is started from here, `groups` where Kafka is away."""

    here: Status | None
    heard: Heard
    groups: Sequence[GroupSeen] | None

    @property
    def ready(self) -> bool:
        """What was started here; else, one of each service that is heard of."""
        if self.here is not None:
            return self.here.ready
        well = {one.service for one in self.heard.instances if one.state == "alive" and not one.not_ready}
        return well >= set(SERVICES)

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        lists = {
            "instances": self.heard.instances,
            "jobs": self.heard.jobs,
            "providers": self.heard.providers,
            "channels": self.heard.channels,
        }
        groups = None if self.groups is None else [asdict(one) for one in self.groups]
        timers = {kind: dict(one) for kind, one in _timers(self.heard.instances).items()}
        seen = {name: [as_shown(one) for one in several] for name, several in lists.items()}
        return shown(self.here) | {"ready": self.ready} | seen | {"timers": timers, "lag": groups}


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, until Ctrl-C.")] = False,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show what runs and how it does; exit code 1 when something is not ready."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that Kafka is away is said in its own line
    look_ = partial(_look, url, token)
    if watch and not json:
        _watch(look_)
        return
    picture = look_()
    emit(picture.told(), as_json=json, people=lambda: print(*lines(picture), sep="\n"))
    if not picture.ready:
        raise typer.Exit(1)


def _watch(look_: Callable[[], Picture]) -> None:
    """Until somebody has seen enough: one screen that changes, or in a pipe one picture after the other."""
    to, enough = console(), threading.Event()
    # Not as an exception: one that is raised in the middle of a look may be taken for the look's own.
    signal.signal(signal.SIGINT, lambda *_: enough.set())
    with Live(console=to, auto_refresh=False) if to.is_terminal else nullcontext() as screen:
        while not enough.is_set():
            text = "\n".join(lines(look_()))
            if screen is None:
                print(text, flush=True)
            else:
                screen.update(Text(text), refresh=True)
            enough.wait(EVERY)


def _look(url: str | None, token: str | None) -> Picture:
    """Side by side: what is away takes its time by itself."""
    stack = stack_of_here()
    with ThreadPoolExecutor(max_workers=3) as pool:
        here = pool.submit(stack.status) if stack else None
        heard, groups = pool.submit(_heard, url, token), pool.submit(_groups)
        return Picture(here.result() if here else None, heard.result(), groups.result())


def _heard(url: str | None, token: str | None) -> Heard:
    """Every process that is heard of, on other machines too."""
    with (
        suppress(SettingsError, Trouble, TocsinError),
        gateway(OPERATOR, "admin", url=url, token=token, tenant=None) as it,
    ):
        asked = Operations(it)
        alive = [one for one in asked.services() if one.state != "stopped"]
        return Heard(alive, asked.jobs(), asked.providers(), asked.channels())
    return Heard()


def _groups() -> Sequence[GroupSeen] | None:
    try:
        return asyncio.run(look(load(root(), environ).kafka)).groups
    except (KafkaError, OSError, TimeoutError):
        return None


def lines(picture: Picture) -> Iterator[str]:
    """What fits one screen, of what is there."""
    here, heard = picture.here, picture.heard
    if here is None:
        yield "what is heard of:" if heard.instances else "nobody is heard of: `tocsin doctor` says why"
    else:
        rows = [
            (one.name, one.pid or "-", "ready" if one.ready else "not ready", one.address)
            for one in (*here.servers, *here.services)
        ]
        yield from aligned(("name", "pid", "state", "address"), rows)
    for columns, cells in (
        (("service", "instance", "state", "last heard"), [_instance(one) for one in heard.instances]),
        (("behind", "consumer group", "topic"), list(_lanes(picture.groups))),
        (("timers", "pending", "late"), [_timer(kind, one) for kind, one in _timers(heard.instances).items()]),
        (("job", "last run", "at", "next run"), [_job(one) for one in heard.jobs]),
        (("channel", "provider", "state", "why"), list(_providers(heard))),
    ):
        if cells:
            yield ""
            yield from aligned(columns, cells)
    if picture.groups is not None and not any(one.behind for one in picture.groups):
        yield "\nevery lane is read to its end"
    elif picture.groups is None:
        yield "\nKafka does not answer: nobody knows how far the lanes are read (`tocsin doctor`)"


def _instance(one: ServiceSeen) -> tuple[object, ...]:
    waits = f", not ready: {', '.join(one.not_ready)}" if one.not_ready else ""
    lacks = f", {' '.join(one.degraded).replace('_', ' ')}" if one.degraded else ""
    return one.service, one.instance, one.state + waits + lacks, f"{one.heard_at:%H:%M:%S}"


def _lanes(groups: Sequence[GroupSeen] | None) -> Iterator[tuple[object, ...]]:
    for group in groups or ():
        for topic, behind in group.lanes.items():
            yield behind, group.name, topic


def _timers(instances: Sequence[ServiceSeen]) -> dict[str, dict[str, int]]:
    """All schedulers count the same table: the one that was heard of last knows best."""
    told = [one for one in instances if one.timers]
    newest = max(told, key=lambda one: one.heard_at, default=None)
    return {kind: dict(one) for kind, one in (newest.timers or {}).items()} if newest else {}


def _timer(kind: str, one: dict[str, int]) -> tuple[object, ...]:
    return kind, one.get("pending"), one.get("overdue")


def _job(one: JobSeen) -> tuple[object, ...]:
    return one.id, one.status, moment(one.last_run), moment(one.next_run)


def _providers(heard: Heard) -> Iterator[tuple[object, ...]]:
    states = {one.channel: one.state for one in heard.channels}
    for one in heard.providers:
        channel = f"{one.channel} ({state})" if (state := states.get(one.channel)) in ("paused", "off") else one.channel
        yield channel, one.name, one.state, one.detail or one.reason
