"""Who is calling, and whose things these are: no route without a check, no stranger's object but 404."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from contracts import events as e
from contracts.topics import SETTINGS
from kit.bus.record import Received
from kit.clock import utc_now
from kit.stage import Message
from services.gateway.http.access.auth import LEEWAY_SECONDS
from services.gateway.http.operations import alertmanager
from services.gateway.http.pages.downloads import CONTRACTS, KINDS
from services.gateway.rules import keys
from tests.services.gateway.conftest import (
    ADMIN,
    ADMIN_ELSEWHERE,
    ALICE,
    BELL,
    BOB,
    CAROL,
    EMAIL,
    SECRET,
    SERVICE,
    House,
    bearer,
    due_of,
    offsets,
    token,
)


def unsigned(**header: Any) -> str:
    """A token that says of itself how it is to be trusted."""
    claims = jwt.decode(token(), options={"verify_signature": False})
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, ""])


PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9
q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==
-----END PUBLIC KEY-----"""

NOW = utc_now()

BAD = {
    "none": "",
    "no token": "Bearer",
    "basic": "Basic YWxpY2U6c2VjcmV0",
    "rubbish": "Bearer rubbish",
    "long": "Bearer " + "a" * 9000,
    "alg none": f"Bearer {unsigned(alg='none', typ='JWT')}",
    "alg None": f"Bearer {unsigned(alg='NoNe', typ='JWT')}",
    "wrong key": f"Bearer {token(secret='another secret that is long enough for it')}",
    "empty key": f"Bearer {unsigned(alg='HS256', typ='JWT')}",
    "another family": f"Bearer {unsigned(alg='RS256', typ='JWT')}",
    "another of the family": f"Bearer {token(algorithm='HS512')}",
    "key in the token": f"Bearer {unsigned(alg='HS256', jwk={'kty': 'oct', 'k': 'AA'}, kid='../../dev/null')}",
    "key elsewhere": f"Bearer {unsigned(alg='HS256', jku='http://127.0.0.1/keys', x5u='http://127.0.0.1/keys')}",
    "expired": f"Bearer {token(exp=NOW - timedelta(minutes=1))}",
    "from the future": f"Bearer {token(iat=NOW + timedelta(days=1), exp=NOW + timedelta(days=2))}",
    "not yet": f"Bearer {token(nbf=NOW + timedelta(hours=12))}",
    "wrong audience": f"Bearer {token(aud='another')}",
    "wrong issuer": f"Bearer {token(iss='another')}",
    "no exp": f"Bearer {token(exp=None)}",
    "exp in milliseconds": f"Bearer {token(exp=int(NOW.timestamp() * 1000) + 3_600_000)}",
    "exp that is a text": f"Bearer {token(exp=str(int(NOW.timestamp()) + 3600))}",
    "exp that never comes": f"Bearer {token(exp=10**400)}",
    "no iat": f"Bearer {token(iat=None)}",
    "no sub": f"Bearer {token(None)}",
    "no aud": f"Bearer {token(aud=None)}",
    "no iss": f"Bearer {token(iss=None)}",
    "empty sub": f"Bearer {token('')}",
    "sub with a line break": f"Bearer {token('alice' + chr(10))}",
    "empty parts": "Bearer e30.e30.e30",
    "tenant that is a path": f"Bearer {token(tenant='a/b')}",
    "tenant that is a list": f"Bearer {token(tenant=['a'])}",
    "roles that is a text": f"Bearer {token(roles='admin')}",
}


async def test_who_cannot_prove_who_he_is_is_refused(house: House) -> None:
    for name, header in BAD.items():
        headers = {"Authorization": header} if header else {}
        answer = await house.http.post("/v1/notifications", json=EMAIL, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), name
        assert answer.headers["www-authenticate"].startswith("Bearer"), name
        assert "tocsin token --user" in answer.json()["detail"], name


def test_a_public_key_cannot_be_the_secret() -> None:
    """HS/RS confusion: a token signed with the text of a public key proves nothing, and PyJWT refuses to make one."""
    with pytest.raises(jwt.InvalidKeyError):
        token(secret=PUBLIC_KEY)


async def test_unknown_critical_headers_are_refused(house: House) -> None:
    """RFC 7515, 4.1.11."""
    claims = jwt.decode(token(), options={"verify_signature": False})
    signed = jwt.encode(claims, SECRET, "HS256", headers={"crit": ["b64", "exp2"], "exp2": 1})
    answer = await house.http.get("/v1/stats", headers={"Authorization": f"Bearer {signed}"})
    assert answer.status_code == 401


async def test_a_token_that_was_good_expires(house: House) -> None:
    """What is remembered of a token is not believed past its time."""
    await house.http.get("/v1/stats", headers=ALICE)  # the routes are put together at the first request
    just_now = bearer(exp=(expired := utc_now()))
    for _ in range(2):
        answer = await house.http.get("/v1/stats", headers=just_now)
        leeway = utc_now() < expired + timedelta(seconds=LEEWAY_SECONDS - 1)  # for clocks that differ; exp has seconds
        assert answer.status_code == 200 or not leeway
    late = bearer(exp=utc_now() - timedelta(seconds=60))
    assert (await house.http.get("/v1/stats", headers=late)).status_code == 401


DOWNLOADS = [path for kind in KINDS for path in (CONTRACTS / kind).glob("*.json")]
OPEN = {
    *("/openapi.json", "/docs", "/health/live", "/health/ready", "/metrics"),
    *("/bell/tocsin-bell.js", "/bell/tocsin-bell.d.ts"),
    *("/asyncapi.json", "/schemas", *(f"/{path.parent.name}/{path.name}" for path in DOWNLOADS)),
    *("/demo", "/demo/demo.js", "/demo/demo.css", "/demo/icon.svg", "/demo/token"),
}

PREFERENCES = "/v1/recipients/{user_id}/preferences"
SCHEDULE = "/v1/schedules/{id}"
OPERATORS = {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 404}
"""Nobody else is told even what there is not."""
MATRIX: dict[tuple[str, str], dict[str, int]] = {
    ("GET", "/v1/notifications/{id}"): {"owner": 200, "bob": 200, "other": 404, "service": 404, "admin": 200},
    ("DELETE", "/v1/notifications/{id}"): {"owner": 202, "bob": 403, "other": 404, "service": 404, "admin": 202},
    ("PATCH", "/v1/notifications/{id}"): {"owner": 202, "bob": 403, "other": 404, "service": 404, "admin": 202},
    ("POST", "/v1/inbox/{id}/read"): {"owner": 404, "bob": 200, "other": 404, "service": 404, "admin": 404},
    ("POST", "/v1/inbox/{id}/unread"): {"owner": 404, "bob": 200, "other": 404, "service": 404, "admin": 404},
    ("POST", "/v1/inbox/{id}/unarchive"): {"owner": 404, "bob": 200, "other": 404, "service": 404, "admin": 404},
    ("GET", "/v1/inbox/{id}"): {"owner": 200, "bob": 200, "other": 404, "service": 404, "admin": 200},
    ("PUT", "/v1/inbox/{id}"): {"owner": 200, "bob": 403, "other": 404, "service": 404, "admin": 200},
    ("DELETE", "/v1/inbox/{id}"): {"owner": 204, "bob": 403, "other": 404, "service": 404, "admin": 204},
    ("POST", "/v1/inbox/{id}/archive"): {"owner": 404, "bob": 200, "other": 404, "service": 404, "admin": 404},
    ("GET", "/v1/recipients/{user_id}"): {"owner": 404, "bob": 404, "other": 404, "service": 404, "admin": 404},
    ("PUT", "/v1/recipients/{user_id}"): {"owner": 404, "bob": 503, "other": 404, "service": 503, "admin": 503},
    ("DELETE", "/v1/recipients/{user_id}"): {"owner": 404, "bob": 503, "other": 404, "service": 503, "admin": 503},
    ("GET", PREFERENCES): {"owner": 404, "bob": 200, "other": 404, "service": 200, "admin": 200},
    ("PUT", PREFERENCES): {"owner": 404, "bob": 503, "other": 404, "service": 503, "admin": 503},
    ("DELETE", PREFERENCES): {"owner": 404, "bob": 503, "other": 404, "service": 503, "admin": 503},
    ("GET", "/v1/admin/limits"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("GET", SCHEDULE): {"owner": 200, "bob": 404, "other": 404, "service": 404, "admin": 200},
    ("PUT", SCHEDULE): {"owner": 503, "bob": 404, "other": 404, "service": 404, "admin": 503},
    ("DELETE", SCHEDULE): {"owner": 503, "bob": 404, "other": 404, "service": 404, "admin": 503},
    ("POST", "/v1/schedules/{id}/run"): {"owner": 503, "bob": 404, "other": 404, "service": 404, "admin": 503},
    ("GET", "/v1/schedules/{id}/preview"): {"owner": 200, "bob": 404, "other": 404, "service": 404, "admin": 200},
    ("GET", "/v1/admin/failed"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("POST", "/v1/admin/failed/replay"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 202},
    ("POST", "/v1/admin/failed/{id}/replay"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 409},
    ("GET", "/v1/admin/audit"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("GET", "/v1/admin/people/{user_id}/export"): {
        "owner": 403,
        "bob": 403,
        "other": 403,
        "service": 403,
        "admin": 200,
    },
    ("POST", "/v1/admin/people/{user_id}/erase"): {
        "owner": 403,
        "bob": 403,
        "other": 403,
        "service": 403,
        "admin": 503,
    },
    ("GET", "/v1/admin/people/{user_id}/erasures/{run_id}"): {
        "owner": 403,
        "bob": 403,
        "other": 403,
        "service": 403,
        "admin": 404,
    },
    ("GET", "/v1/admin/api-keys"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("POST", "/v1/admin/api-keys"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 201},
    ("DELETE", "/v1/admin/api-keys/{id}"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 404},
    ("GET", "/v1/admin/webhooks"): {**OPERATORS, "admin": 200},
    ("POST", "/v1/admin/webhooks"): {**OPERATORS, "admin": 201},
    ("GET", "/v1/admin/webhooks/{id}"): OPERATORS,
    ("PUT", "/v1/admin/webhooks/{id}"): OPERATORS,
    ("DELETE", "/v1/admin/webhooks/{id}"): OPERATORS,
    ("POST", "/v1/admin/webhooks/{id}/rotate"): OPERATORS,
    ("POST", "/v1/admin/webhooks/{id}/test"): OPERATORS,
    ("GET", "/v1/admin/webhooks/{id}/deliveries"): OPERATORS,
    ("POST", "/v1/admin/webhooks/{id}/replay"): OPERATORS,
    ("GET", "/v1/admin/stats"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("GET", "/v1/admin/jobs"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("POST", "/v1/admin/jobs/{id}/run"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 404},
    ("GET", "/v1/admin/jobs/{id}/runs/{run_id}"): {
        "owner": 403,
        "bob": 403,
        "other": 403,
        "service": 403,
        "admin": 404,
    },
    ("GET", "/v1/admin/configuration"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("GET", "/v1/admin/services"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("GET", "/v1/admin/channels"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("POST", "/v1/admin/channels/{channel}/pause"): OPERATORS,
    ("POST", "/v1/admin/channels/{channel}/resume"): OPERATORS,
    ("GET", "/v1/admin/providers"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 200},
    ("POST", "/v1/admin/alerts"): {"owner": 403, "bob": 403, "other": 403, "service": 403, "admin": 503},
    ("POST", "/v1/admin/providers/{provider}/pause"): OPERATORS,
    ("POST", "/v1/admin/providers/{provider}/resume"): OPERATORS,
    ("POST", "/v1/admin/providers/{provider}/test"): OPERATORS,
}
EVERYBODYS_OWN = {
    ("POST", "/v1/notifications"),
    ("POST", "/v1/notifications/batch"),
    ("GET", "/v1/notifications"),
    ("DELETE", "/v1/notifications"),
    ("GET", "/v1/inbox"),
    ("PUT", "/v1/inbox"),
    ("DELETE", "/v1/inbox"),
    ("POST", "/v1/inbox/read-all"),
    ("POST", "/v1/stream/tickets"),
    ("GET", "/v1/stats"),
    ("GET", "/v1/limits"),
    ("POST", "/v1/schedules"),
    ("GET", "/v1/schedules"),
    ("GET", "/v1/schedules/preview"),
}
DEADLINES = {
    ("GET", "/v1/deadlines"),
    ("GET", "/v1/deadlines/{id}"),
    ("PUT", "/v1/deadlines/{id}"),
    ("DELETE", "/v1/deadlines/{id}"),
    ("GET", "/v1/admin/plans/{name}"),
    ("PUT", "/v1/admin/plans/{name}"),
    ("DELETE", "/v1/admin/plans/{name}"),
}
"""Tried in test_deadlines.py: an assignee reads, a service writes, and what does not exist yet is made."""
TEMPLATES = {
    ("GET", "/v1/admin/templates"),
    ("GET", "/v1/admin/templates/{name}"),
    ("PUT", "/v1/admin/templates/{name}"),
    ("DELETE", "/v1/admin/templates/{name}"),
    ("GET", "/v1/admin/templates/{name}/versions"),
    ("POST", "/v1/admin/templates/{name}/preview"),
}
"""Tried in test_templates.py: everybody knows the names, services read, admins write."""
TICKETED = {("GET", "/v1/stream/sse")}
"""Whose ticket it is: a ticket takes the place of a token (test_stream.py)."""
SUPPRESSIONS = {
    ("GET", "/v1/admin/suppressions"),
    ("POST", "/v1/admin/suppressions"),
    ("GET", "/v1/admin/suppressions/{id}"),
    ("DELETE", "/v1/admin/suppressions/{id}"),
}
"""Tried in test_suppressions.py: for the admins of each tenant."""
SIGNED = {("POST", "/v1/callbacks/twilio"), ("POST", "/v1/callbacks/twilio/messages")}
"""Nobody's: a signature takes the place of a token (test_callbacks.py)."""
COMPAT = {
    ("POST", "/notifications/"),
    ("GET", "/notifications/"),
    ("POST", "/notifications/envoyer-immediatement"),
    ("GET", "/notifications/statistiques/globales"),
    ("GET", "/notifications/{id}"),
    ("POST", "/admin/notifications/traiter-en-attente"),
    ("GET", "/admin/notifications/statistiques-dispatcher"),
    ("GET", "/admin/notifications/configuration"),
    ("GET", "/admin/notifications/test-connexions"),
    ("POST", "/admin/notifications/test-connexions"),
    ("GET", "/admin/notifications/scheduler/status"),
    ("POST", "/admin/notifications/scheduler/trigger/{job_id}"),
}
"""Tried in test_compat.py: the same owners as under /v1, in other words."""
LINKS = {("GET", "/v1/unsubscribe/{token}"), ("POST", "/v1/unsubscribe/{token}")}
"""Nobody's either: what we did not sign ourselves does not exist (test_unsubscribe.py)."""
OPERATORS = ("/v1/admin/jobs", "/v1/admin/services", "/v1/admin/configuration", "/v1/admin/alerts")
"""What belongs to no tenant: only for the admins of `default`."""
CALLERS = {"owner": ALICE, "bob": BOB, "other": CAROL, "service": SERVICE, "admin": ADMIN}
BODIES = {
    "PATCH": {"send_at": "2030-01-01T00:00:00Z"},
    "PUT": {"email": "delivered@simulator.test"},
    "/v1/admin/failed/replay": {"status": "failed"},
    "/v1/admin/api-keys": {"name": "billing", "scopes": ["send"]},
    "/v1/admin/people/{user_id}/erase": {"addresses": []},
    "/v1/admin/alerts": alertmanager.EXAMPLE,
    "/v1/admin/webhooks": {"url": "https://example.org/"},
    PREFERENCES: {"categories": {}},
    "/v1/inbox/{id}": {"title": "another"},
    SCHEDULE: {"cron": "0 8 * * *", "recipients": ["bob"], "notification": {"channel": "inapp", "body": "b"}},
}
NAMED = {"/v1/admin/limits": "?user_id=bob"}


def body_of(method: str, path: str) -> dict[str, Any] | None:
    return BODIES.get(path if method in ("PUT", "POST") and path in BODIES else method)


async def routes(house: House) -> set[tuple[str, str]]:
    document = (await house.http.get("/openapi.json")).json()
    return {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}


async def test_every_route_says_whose_it_is(house: House) -> None:
    """A new route without a line in the matrix fails here."""
    elsewhere = (
        DEADLINES,
        TEMPLATES,
        SUPPRESSIONS,
        TICKETED,
        SIGNED,
        COMPAT,
        LINKS,
    )
    assert await routes(house) == {*MATRIX, *EVERYBODYS_OWN}.union(*elsewhere)


NOBODY = {
    "none": {},
    "expired": bearer("root", "admin", exp=NOW - timedelta(minutes=1)),
    "wrong key": bearer("root", "admin", secret="another secret that is long enough for it"),
    "unknown API key": {"Authorization": f"Bearer {keys.made(bytes(keys.SECRET_BYTES))}"},
    "no API key": {"Authorization": "Bearer tk_0"},
}


async def test_no_route_answers_without_a_token(house: House) -> None:
    for method, path in await routes(house):
        where = path.replace("{id}", "0").replace("{user_id}", "bob")
        expected = 403 if (method, path) in SIGNED else 404 if (method, path) in LINKS else 401
        for who, headers in NOBODY.items():
            answer = await house.http.request(method, where, headers=headers)
            assert answer.status_code == expected, (method, path, who)
    for path in OPEN:
        assert (await house.http.get(path)).status_code in (200, 503), path


def schedule_of(id: str) -> Message:
    """Alice's, for bob."""
    made = {"owner": "user:alice", "created_at": "2026-11-01T12:00:00Z", "changed_at": "2026-11-01T12:00:00Z"}
    value = {"time_zone": "UTC", **BODIES[SCHEDULE], **made}
    event = e.Setting(what="schedule", id=id, version=1, value=value)
    return Message(event, Received(SETTINGS.name, 0, next(offsets), NOW, b"", b""))


async def addressed_to_bob(house: House) -> str:
    """Made by alice, addressed to bob, and in his inbox; and a schedule of hers with the same id."""
    id = await house.post(BELL)
    await house.shows(due_of(id))
    await house.remembers(schedule_of(id))
    return id


async def test_another_ones_object_does_not_exist(house: House) -> None:
    for (method, path), expected in MATRIX.items():
        for who, headers in CALLERS.items():
            where = path.replace("{id}", await addressed_to_bob(house)).replace("{user_id}", "bob")
            where += NAMED.get(path, "")
            answer = await house.http.request(method, where, headers=headers, json=body_of(method, path))
            assert answer.status_code == expected[who], (method, path, who, answer.text)


async def test_another_tenant_sees_nothing(house: House) -> None:
    id = await addressed_to_bob(house)
    for method, path in MATRIX:
        if "{id}" in path or path.startswith(OPERATORS):
            where = path.replace("{id}", id)
            answer = await house.http.request(method, where, headers=ADMIN_ELSEWHERE, json=body_of(method, path))
            assert answer.status_code == (403 if path.startswith(OPERATORS) else 404), (method, path)
    listed = await house.http.get("/v1/notifications", headers=ADMIN_ELSEWHERE)
    assert listed.json()["items"] == []


async def test_lists_show_ones_own(house: House) -> None:
    id = await addressed_to_bob(house)
    for who, sees in ((ALICE, [id]), (BOB, [id]), (CAROL, []), (SERVICE, []), (ADMIN, [id])):
        items = (await house.http.get("/v1/notifications", headers=who)).json()["items"]
        assert [item["id"] for item in items] == sees


async def test_what_is_no_id_is_not_there(house: House) -> None:
    for id in ("nonsense", "00000000-0000-0000-0000-000000000000", "%F0%9F%92%A9", "..%2F.."):
        for method, path in (("GET", f"/v1/notifications/{id}"), ("POST", f"/v1/inbox/{id}/read")):
            answer = await house.http.request(method, path, headers=ALICE)
            assert answer.status_code == 404, path
            assert answer.headers["content-type"] == "application/problem+json", path
