"""Are providers well, limits used up, jobs done, webhooks told, does real time come through?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import httpx

from cli.doctor.finding import Finding, note, trouble, well
from client.operations import JobSeen, ProviderSeen
from client.rest import Tocsin
from client.shapes import Answer
from client.webhooks import Webhook
from kit.settings import Settings

AILING: Final = ("shut", "ailing", "used_up", "paused")
TIMEOUT: Final = 4.0


def providers(seen: Sequence[ProviderSeen]) -> Iterator[Finding]:
    sick = [one for one in seen if one.state in AILING]
    for one in sick:
        why = one.detail or one.reason or "it does badly"
        what = f"{one.name} ({one.channel}) is {one.state}: {why}"
        yield trouble("providers", what, _remedy(one))
    if not sick:
        unknown = [one.name for one in seen if one.state == "unknown"]
        if unknown:
            yield note("providers", f"nobody is heard of who has {', '.join(unknown)}", "start its sender")
        else:
            yield well("providers", f"{len(seen)} are open")


def _remedy(one: ProviderSeen) -> str:
    match one.state:
        case "paused":
            return (
                f"somebody has paused it: tocsin providers resume {one.name} (or tocsin channels resume {one.channel})"
            )
        case "used_up":
            return "its quota of the day is used up: wait, add a second provider, or raise per_day if it allows more"
        case _:
            return f"tocsin providers test {one.name} says what it answers; another one beside it would take over"


def limits(tocsin: Tocsin, settings: Settings, user: str | None) -> Finding:
    """A usual reason why "nothing comes": what is over a cap comes later."""
    told = settings.notifications.limits
    if user is None:
        caps = (
            f"per user {told.per_user.hour} an hour and {told.per_user.day} a day, all {told.overall.minute} a minute"
        )
        none = not (told.per_user.hour or told.per_user.day or told.overall.minute)
        return well("limits", "none is set" if none else f"{caps} (0: none); --user NAME shows what somebody has used")
    seen = tocsin.ask(Answer, "GET", "/v1/admin/limits", params={"user_id": user}).model_dump()
    per_user: Mapping[str, Mapping[str, Any]] = seen["per_user"]
    full = [(name, one) for name, one in per_user.items() if one.get("limit") and not one.get("left")]
    if not full:
        return well("limits", f"{user} has room: " + ", ".join(f"{n} {o['used']} used" for n, o in per_user.items()))
    name, one = full[0]
    return trouble(
        "limits",
        f"{user} has used all {one['limit']} of the {name}: more comes after {one['resets_at']}",
        "raise notifications.limits.per_user, or send what must not wait with lane urgent",
    )


def jobs(seen: Sequence[JobSeen]) -> Iterator[Finding]:
    """The last run of each; what a clean-up could not do is not done by anybody else."""
    failed = [one for one in seen if one.status == "failed"]
    for one in failed:
        at = f" at {one.last_run:%Y-%m-%d %H:%M}Z" if one.last_run else ""
        why = next(iter(_errors(one.last_result)), "its services say why in their logs")
        remedy = f"mend that, then run it now: tocsin jobs run {one.id}"
        yield trouble("jobs", f"{one.id} failed{at}: {why}", remedy)
    if not failed:
        yield well("jobs", "none has failed at its last run")


def _errors(result: Mapping[str, Any] | None) -> Iterator[str]:
    """What the services answered that could not do their part."""
    for service, told in (result or {}).items():
        if isinstance(told, dict) and told.get("error"):
            yield f"{service}: {told['error']}"


def webhooks(seen: Iterable[Webhook]) -> Iterator[Finding]:
    """Those of the tenant `default`: who is asked is an admin of it, and no other's are shown to him."""
    all_ = list(seen)
    troubled = [finding for one in all_ for finding in _webhook(one)]
    told = sum(one.enabled for one in all_)
    yield from troubled or [well("webhooks", f"{told} are told" if told else "none is told of anything")]


def _webhook(one: Webhook) -> Iterator[Finding]:
    if not one.enabled and one.disabled_why != "by_admin":
        why = "it answered 410 (gone)" if one.disabled_why == "gone" else "nothing arrived there for days"
        again = f"tocsin webhooks enable {one.id}, and for what it missed tocsin webhooks replay {one.id} --since 7d"
        yield trouble("webhooks", f"{one.url} is disabled: {why}", f"when it works: {again}")
    elif one.enabled and one.failing_since:
        what = f"nothing has arrived at {one.url} since {one.failing_since:%Y-%m-%d %H:%M}Z"
        yield trouble("webhooks", what, f"tocsin webhooks test {one.id} says what it answers; all is tried again")


def stream(tocsin: Tocsin) -> Finding:
    """As a page would listen: a ticket, and the first frame."""
    ticket = tocsin.ask(Answer, "POST", "/v1/stream/tickets").model_dump()["ticket"]
    try:
        with httpx.stream("GET", f"{tocsin.url}/v1/stream/sse", params={"ticket": ticket}, timeout=TIMEOUT) as answer:
            if any("hello" in line for line in answer.iter_lines()):
                return well("stream", "a page is told what happens, as it happens")
            why = f"status {answer.status_code}"
    except httpx.HTTPError as error:
        why = type(error).__name__
    return trouble(
        "stream",
        f"real time does not come through ({why})",
        "a proxy before the gateway must let WebSockets and event streams pass, and not gather them (docs/stream.md); "
        "a page of another site must be in GATEWAY_ORIGINS",
    )
