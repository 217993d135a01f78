"""Where a webhook may lead, what it tells, and what follows from an answer."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from uuid import UUID

import pytest
from pydantic_core import from_json
from standardwebhooks import Webhook, WebhookVerificationError

from contracts import events as e
from contracts.status import Channel, Status
from kit.clock import utc_now
from services.gateway.rules import webhooks as rules
from services.gateway.rules.reaching import is_refused, url_problem
from services.gateway.rules.webhooks import Again, Answer, Arrived, Endpoint, GivenUp, what_follows

NOW = utc_now()
HOOK, ID = UUID(int=1), UUID(int=2)
COMMON = {"id": ID, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": NOW, "user_id": "bob"}

# fmt: off
INSIDE = [
    "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "2001::1", "2001:db8::1", "3fff::1", "fc00::1", "fd12::1",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1", "nonsense",
]
OUTSIDE = [
    "1.1.1.1", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]
# fmt: on


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_inside_is_reached(address: str) -> None:
    assert is_refused(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_world_is(address: str) -> None:
    assert not is_refused(address)


def test_a_named_network_of_the_house_is_reached_and_its_neighbour_is_not() -> None:
    networks = [ip_network("10.20.0.0/16"), ip_network("fd00:1::/32")]
    for address in ("10.20.0.1", "::ffff:10.20.0.1", "fd00:1::1"):
        assert not is_refused(address, networks), address
    for address in ("10.21.0.1", "fd00:2::1", "127.0.0.1", "169.254.169.254"):
        assert is_refused(address, networks), address


URLS = {
    "https://example.org/hook?a=b": None,
    "https://example.org:8443/": None,
    "https://[2606:4700::1111]/": None,
    "http://example.org/": "begins with https://",
    "ftp://example.org/": "begins with https://",
    "https:///x": "begins with https://",
    "https://user@example.org/": "user name",
    "https://example.org/#x": "user name",
    "https://example.org:22/": "port",
    "https://example.org:99999/": "is no URL",
    "https://127.0.0.1/": "private",
    "https://[::1]/": "private",
    "https://[::ffff:a00:1]/": "private",
    "https://169.254.169.254/latest/meta-data": "private",
    "https://exämple.org/": "ASCII",
    "https://example.org/a b": "ASCII",
    "https://example.org\\@127.0.0.1/": "ASCII",
    "https://example.org/\r\nx: y": "ASCII",
    "https://example.org/" + "a" * 2000: "at most",
}


@pytest.mark.parametrize("url", URLS)
def test_an_address_that_cannot_be_used_is_refused_with_its_reason(url: str) -> None:
    problem, expected = url_problem(url, allow_http=False), URLS[url]
    assert problem is None if expected is None else expected in (problem or "")


def test_http_only_where_it_is_allowed() -> None:
    assert url_problem("http://example.org/", allow_http=True) is None
    assert url_problem("http://example.org:80/", allow_http=True) is None
    assert url_problem("https://example.org:80/", allow_http=True) is not None


def answered(status: int | None, **more: float) -> Answer:
    return Answer(status, None, 1, None, **more)


def test_every_2xx_is_yes() -> None:
    assert all(isinstance(what_follows(answered(status), 1, NOW, NOW, 0.5), Arrived) for status in (200, 201, 204, 299))


def test_gone_is_gone_at_once() -> None:
    assert what_follows(answered(410), 1, NOW, NOW, 0.5) == GivenUp(gone=True)


@pytest.mark.parametrize("status", [None, 199, 301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_all_else_is_tried_again(status: int | None) -> None:
    assert isinstance(what_follows(answered(status), 1, NOW, NOW, 0.5), Again)


def test_pauses_grow_over_days_and_end() -> None:
    at, pauses, tries = NOW, [], 0
    while True:
        tries += 1
        then = what_follows(answered(500), tries, NOW, at, 0.999)
        if not isinstance(then, Again):
            break
        pauses.append((then.at - at).total_seconds())
        at = then.at
    assert then == GivenUp() and tries == 10
    assert pauses == sorted(pauses) and pauses[0] < 6 and timedelta(days=2) < at - NOW < timedelta(days=4)


def test_the_receivers_own_wish_is_heeded_up_to_a_day() -> None:
    then = what_follows(answered(503, retry_after=600.0), 1, NOW, NOW, 0.5)
    assert then == Again(NOW + timedelta(seconds=600))
    assert what_follows(answered(503, retry_after=1e7), 1, NOW, NOW, 0.5) == Again(NOW + timedelta(days=1))


NAMES = (
    (e.Sent(**COMMON, at=NOW), "notification.sent"),
    (e.Delivered(**COMMON, at=NOW), "notification.delivered"),
    (e.Undelivered(**COMMON, at=NOW), "notification.undelivered"),
    (e.Failed(**COMMON, outcome=Status.FAILED, reason="x"), "notification.failed"),
    (e.Failed(**COMMON, outcome=Status.REJECTED, reason="x"), "notification.rejected"),
    (e.Failed(**COMMON, outcome=Status.EXPIRED, reason="x"), "notification.expired"),
    (e.Failed(**COMMON, outcome=Status.CANCELLED, reason="x"), "notification.cancelled"),
    (e.InboxChanged(**COMMON, change="read", at=NOW, offset=1), "notification.read"),
    (e.InboxChanged(**COMMON, change="archived", at=NOW, offset=1), "notification.archived"),
    (e.InboxChanged(**COMMON, change="updated", at=NOW, offset=1, detail="read"), None),
    (e.Scheduled(**COMMON, round=1, at=NOW), "notification.scheduled"),
    (e.Scheduled(**COMMON, round=1, handed=True), None),
    (e.MoveRefused(**COMMON, edit=1), None),
)


def test_what_happened_has_a_name() -> None:
    assert [rules.name_of(event) for event, _ in NAMES] == [name for _, name in NAMES]


def told_of(*events: e.OfNotification, endpoints: tuple[Endpoint, ...], request: str = "{}") -> list[rules.Told]:
    happened = [(event, name, NOW) for event in events if (name := rules.name_of(event))]
    return rules.told(happened, endpoints, {ID: request})


SENT = e.Sent(**COMMON, at=NOW, provider="smtp")


def test_told_twice_it_is_one_delivery_and_each_receiver_has_his_own() -> None:
    both = (Endpoint(HOOK, "default", rules.USUAL), Endpoint(UUID(int=9), "default", rules.USUAL))
    made = told_of(SENT, SENT, endpoints=both)
    assert len({one.id for one in made}) == len(made) == 2
    assert {one.id for one in told_of(SENT, endpoints=both)} == {one.id for one in made}


def test_who_did_not_ask_for_it_is_not_told() -> None:
    others = (Endpoint(HOOK, "elsewhere", rules.USUAL), Endpoint(UUID(int=9), "default", ("notification.read",)))
    assert told_of(SENT, endpoints=others) == []


@pytest.mark.parametrize(
    ("channels", "told"), [(None, ["email", "none"]), (("email",), ["email", "none"]), (("sms", "inapp"), ["none"])]
)
def test_of_other_channels_it_is_not_told(channels: tuple[str, ...] | None, told: list[str]) -> None:
    """What was cancelled before anybody knew its channel is kept from nobody."""
    unknown = e.Failed(**COMMON | {"channel": None}, outcome=Status.CANCELLED, reason="x")
    only = (Endpoint(HOOK, "default", rules.USUAL, channels),)
    made = [from_json(one.body)["data"].get("channel", "none") for one in told_of(SENT, unknown, endpoints=only)]
    assert sorted(made) == told


def test_it_tells_what_happened_and_neither_texts_nor_addresses() -> None:
    request = '{"channel":"email","to":"a@example.org","subject":"secret","body":"secret","metadata":{"order":"17"}}'
    [one] = told_of(SENT, endpoints=(Endpoint(HOOK, "default", rules.USUAL),), request=request)
    told = from_json(one.body)
    assert told["type"] == "notification.sent" and told["timestamp"].startswith(f"{NOW:%Y-%m-%dT%H:%M:%S}")
    assert told["data"]["id"] == str(ID) and told["data"]["metadata"] == {"order": "17"}
    assert told["data"]["user_id"] == "bob" and told["data"]["provider"] == "smtp"
    assert "secret" not in one.body and "example.org" not in one.body


def test_a_request_that_nobody_can_read_is_told_of_without_it() -> None:
    [one] = told_of(SENT, endpoints=(Endpoint(HOOK, "default", rules.USUAL),), request="{")
    assert from_json(one.body)["data"]["status"] == "sent"


def test_signatures_are_those_of_standard_webhooks() -> None:
    """Judged by the library that receivers use; with two secrets either is enough, and no third one."""
    old, new = bytes(range(32)), bytes(range(1, 33))
    body = b'{"type":"notification.sent","data":{"n":1}}'
    headers = rules.headers(ID, int(utc_now().timestamp()), body, [new, old])
    for secret in (old, new):
        assert Webhook(rules.shown_secret(secret)).verify(body.decode(), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(rules.shown_secret(bytes(32))).verify(body.decode(), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(rules.shown_secret(new)).verify(body.decode().replace("1", "2"), headers)
