"""What lists and figures show of what happened: narrowed, paged, counted once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from contracts.status import RANKS, Status
from tests.services.gateway.conftest import ADMIN, ALICE, EMAIL, House
from tests.services.gateway.said import LATER, MANY, NOW, failed, figures, requested, retry, scheduled, sent


async def test_p3_4_a_cancel_that_came_first_knows_no_owner(house: House) -> None:
    """Intake's stub is cancelled under nobody's name; the request tells whose it is, and stays cancelled."""
    id = uuid4()
    await house.hears(failed(id, Status.CANCELLED, owner="", channel=None))
    assert (await house.http.get(f"/v1/notifications/{id}", headers=ALICE)).status_code == 404
    await house.hears(requested(id, lane="urgent", group="g"))
    seen = await house.get(str(id))
    assert (seen["status"], seen["channel"], seen["lane"], seen["group"]) == ("cancelled", "email", "urgent", "g")
    assert await figures(house, "/v1/stats", ALICE) == (1, 1, 0)
    assert await figures(house, "/v1/admin/stats", ADMIN) == (1, 1, 0)


async def test_how_the_newest_fared_is_shown_to_admins(house: House) -> None:
    """How long from acceptance, or from its time where it had one; and how many may have come twice."""
    assert (await house.http.get("/v1/admin/stats", headers=ADMIN)).json()["recent"] == {
        "accepted": 0,
        "sent": 0,
        "copies": 0,
    }
    at_once, planned, twice, open_ = (uuid4() for _ in range(4))
    await house.hears(
        *(requested(id) for id in (at_once, planned, twice, open_)),
        scheduled(planned),
        sent(at_once, at=NOW + timedelta(seconds=2)),
        sent(planned, at=LATER + timedelta(seconds=0.25)),
        sent(twice, at=NOW + timedelta(seconds=40), unknown=1),
    )
    recent = (await house.http.get("/v1/admin/stats", headers=ADMIN)).json()["recent"]
    assert (recent["accepted"], recent["sent"], recent["copies"]) == (4, 3, 1)
    assert recent["latency_seconds"] == {"p50": 2.0, "p95": 40.0, "p99": 40.0}
    assert recent["lateness_seconds"] == {"p50": 0.25, "p95": 0.25, "p99": 0.25}
    assert "recent" not in (await house.http.get("/v1/stats", headers=ALICE)).json()


async def test_p9_accepted_is_final_and_open(house: House) -> None:
    """Each notification is counted once, under the status it has; parents are not notifications."""
    ids = [await house.post() for _ in range(3)]
    assert await figures(house, "/v1/stats", ALICE) == (3, 0, 3)
    await house.post(MANY)
    for id in ids:
        await house.hears(requested(id), retry(id))
        await house.hears(retry(id))
    await house.hears(sent(ids[0]), failed(ids[1]), sent(uuid4(), owner="source:billing"))
    assert await figures(house, "/v1/stats", ALICE) == (3, 2, 1)
    assert await figures(house, "/v1/admin/stats", ADMIN) == (4, 3, 1)
    stats = (await house.http.get("/v1/stats", headers=ALICE)).json()
    assert stats["channels"]["email"] == {"total": 3, "open": 1, "sent": 1, "failed": 1, "success_rate": 0.5}
    assert stats["statuses"] == dict.fromkeys(RANKS, 0) | {"sent": 1, "failed": 1, "retrying": 1}


async def test_lists_are_narrowed_and_paged(house: House) -> None:
    """D2: why did she get nothing? One call answers, with the timeline."""
    ids = [await house.post(EMAIL | {"metadata": {"n": str(n), "all": "yes"}}) for n in range(5)]
    await house.hears(sent(ids[1]))
    for query, expected in {
        "": ids,
        "?status=sent": [ids[1]],
        "?channel=sms": [],
        "?to=Delivered@simulator.test": ids,
        "?to=nobody@simulator.test": [],
        "?metadata.n=3": [ids[3]],
        "?metadata.all=yes&metadata.n=4": [ids[4]],
        "?group=none": [],
        "?user_id=bob": [],
        "?created_after=2040-01-01T00:00:00Z": [],
        "?created_before=2040-01-01T00:00:00Z&created_after=2020-01-01T00:00:00Z": ids,
    }.items():
        answer = await house.http.get(f"/v1/notifications{query}", headers=ALICE)
        assert {item["id"] for item in answer.json()["items"]} == set(expected), query
    found: list[str] = []
    page: dict[str, Any] = {"next": None}
    for _ in range(3):
        after = f"&after={page['next']}" if page["next"] else ""
        page = (await house.http.get(f"/v1/notifications?limit=2{after}", headers=ALICE)).json()
        found += [item["id"] for item in page["items"]]
        assert page["items"][0]["timeline"]
    assert sorted(found) == sorted(ids)
    assert "next" not in page


MEANINGLESS = [
    "colour=red",
    "status=lost",
    "channel=pigeon",
    "after=x",
    "limit=0",
    "limit=201",
    "to=a%00b",
    "created_after=yesterday",
    "created_after=2027-01-01T00:00:00",
    "created_after=0001-01-01T00:00:00%2B23:00",
]


async def test_a_filter_that_means_nothing_is_an_error(house: House) -> None:
    """One that was passed over in silence would show everything."""
    for query in MEANINGLESS:
        answer = await house.http.get(f"/v1/notifications?{query}", headers=ALICE)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), query
