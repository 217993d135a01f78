"""The routes of the two systems that came before, as their own pages call them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from contracts import events as e
from contracts.status import Channel, End, Status
from contracts.topics import ALL
from kit.settings import KafkaSettings
from services.gateway.http.compat.words import STATUT
from services.gateway.store.tickets import Redeemed, redeem
from services.gateway.stream import admission
from tests.kit.bus.support import make
from tests.kit.control.support import instance
from tests.services.gateway.conftest import (
    ADMIN,
    ADMIN_ELSEWHERE,
    ALICE,
    BOB,
    SERVICE,
    House,
    due_of,
    settings_of,
    token,
)
from tests.services.gateway.support import Gateway, away, others, running, until
from tests.services.gateway.test_operations import WORKS
from tests.waiting import PATIENCE

VERIFIED = {
    "type": "email",
    "destinataire": "user@example.com",
    "sujet": "Votre IMEI a été vérifié",
    "contenu": "Votre IMEI 123456789012345 a été vérifié avec succès.",
    "envoyer_immediatement": False,
}
ALERT = {
    "type": "sms",
    "destinataire": "+33123456789",
    "contenu": "Alerte sécurité: Activité suspecte détectée",
}
FIELDS = {
    "id",
    "type",
    "destinataire",
    "sujet",
    "contenu",
    "statut",
    "tentatives",
    "erreur",
    "date_creation",
    "date_envoi",
}
ADMINISTRATIVE = (
    ("POST", "/admin/notifications/traiter-en-attente"),
    ("GET", "/admin/notifications/statistiques-dispatcher"),
    ("GET", "/admin/notifications/configuration"),
    ("GET", "/admin/notifications/test-connexions"),
    ("POST", "/admin/notifications/test-connexions"),
    ("GET", "/admin/notifications/scheduler/status"),
    ("POST", "/admin/notifications/scheduler/trigger/process_notifications"),
)


async def created(house: House, body: dict[str, Any] = VERIFIED, who: dict[str, str] = ALICE) -> dict[str, Any]:
    answer = await house.http.post("/notifications/", json=body, headers=who)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def of(id: str, channel: Channel = Channel.EMAIL) -> dict[str, Any]:
    return {"id": UUID(id), "channel": channel, "owner": "user:alice", "accepted_at": datetime.now(UTC)}


def sent(id: str, channel: Channel = Channel.EMAIL) -> e.Sent:
    return e.Sent(**of(id, channel), provider="smtp", at=datetime.now(UTC))


def failed(id: str, outcome: Any = Status.FAILED, detail: str = "550 no such user") -> e.Failed:
    return e.Failed(**of(id), outcome=outcome, reason="refused", detail=detail, try_=3, attempt=3)


async def test_create_see_and_list(house: House) -> None:
    told = await created(house)
    assert told.keys() == FIELDS
    assert {name: told[name] for name in ("type", "destinataire", "sujet", "contenu")} == {
        name: VERIFIED[name] for name in ("type", "destinataire", "sujet", "contenu")
    }
    assert (told["statut"], told["tentatives"], told["erreur"], told["date_envoi"]) == ("en_attente", 0, None, None)
    seen = await house.http.get(f"/notifications/{told['id']}", headers=ALICE)
    assert seen.json() == told
    listed = (await house.http.get("/notifications/", headers=ALICE)).json()
    assert listed == {"notifications": [told], "suivant": None}
    ours = await house.get(told["id"])
    assert (ours["channel"], ours["to"], ours["lane"]) == ("email", "user@example.com", "normal")


async def test_at_once_is_the_urgent_lane(house: House) -> None:
    told = await created(house, VERIFIED | {"envoyer_immediatement": True})
    assert (await house.get(told["id"]))["lane"] == "urgent"


async def test_pages_follow_each_other(house: House) -> None:
    ids = [(await created(house))["id"] for _ in range(3)]
    first = (await house.http.get("/notifications/?limite=2", headers=ALICE)).json()
    rest = (await house.http.get(f"/notifications/?limite=2&apres={first['suivant']}", headers=ALICE)).json()
    assert [one["id"] for one in first["notifications"] + rest["notifications"]] == ids[::-1]
    assert rest["suivant"] is None
    wrong = await house.http.get("/notifications/?apres=nonsense", headers=ALICE)
    assert wrong.json()["errors"] == [{"field": "apres", "message": "is the `suivant` of the page before"}]


async def test_what_is_wrong_is_named_as_it_is_called_here(house: House) -> None:
    for wrong, field in (
        ({"destinataire": "nobody"}, "destinataire"),
        ({"sujet": None}, "sujet"),
        ({"sujet": "two\nlines"}, "sujet"),
        ({"contenu": "a\x00b"}, "contenu"),
        ({"type": "pigeon"}, "type"),
        ({"type": "sms"}, "destinataire"),
        ({"objet": "x"}, "objet"),
    ):
        answer = await house.http.post("/notifications/", json=VERIFIED | wrong, headers=ALICE)
        assert answer.status_code == 422, wrong
        assert [error["field"] for error in answer.json()["errors"]] == [field], answer.text


async def test_the_same_key_is_one_notification(house: House) -> None:
    headers = ALICE | {"Idempotency-Key": "k1"}
    first = await house.http.post("/notifications/", json=VERIFIED, headers=headers)
    again = await house.http.post("/notifications/", json=VERIFIED, headers=headers)
    assert first.json() == again.json()


def test_every_status_has_a_word() -> None:
    assert STATUT.keys() == set(Status)


async def test_what_became_of_it(house: House) -> None:
    """`envoyé` with its date, `échoué` with the reason, `annulé`; and the figures of all of them."""
    ids = [(await created(house))["id"] for _ in range(4)]
    cancelled = failed(ids[2], End.CANCELLED.outcome, "by alice")
    await house.hears(sent(ids[0]), failed(ids[1]), cancelled)
    seen = [(await house.http.get(f"/notifications/{id}", headers=ALICE)).json() for id in ids]
    assert [one["statut"] for one in seen] == ["envoyé", "échoué", "annulé", "en_attente"]
    assert seen[0]["date_envoi"] and seen[0]["erreur"] is None
    assert (seen[1]["erreur"], seen[1]["tentatives"]) == ("550 no such user", 3)
    figures = (await house.http.get("/notifications/statistiques/globales", headers=ALICE)).json()
    assert figures == {
        "total": 4,
        "en_attente": 1,
        "envoyé": 1,
        "échoué": 1,
        "taux_succes": {"email": 0.5, "sms": None},
    }
    told = (await house.http.get("/admin/notifications/statistiques-dispatcher", headers=ADMIN)).json()
    assert (told["en_attente"], told["envoyees"], told["echouees"]) == (1, 1, 1)
    assert told["par_type"]["email"] | {"taux_succes": 0.5} == told["par_type"]["email"]
    assert told["dernier_passage"] is None and told["performance"]["services_actifs"] == 0


async def test_what_is_anothers_is_not_there(house: House) -> None:
    id = (await created(house))["id"]
    for who, status in ((ALICE, 200), (BOB, 404), (SERVICE, 404), (ADMIN, 200), (ADMIN_ELSEWHERE, 404)):
        assert (await house.http.get(f"/notifications/{id}", headers=who)).status_code == status
    assert (await house.http.get("/notifications/", headers=BOB)).json()["notifications"] == []
    assert (await house.http.get("/notifications/", headers=ADMIN)).json()["notifications"] == []


async def test_the_rest_is_for_those_who_run_it(house: House) -> None:
    for method, path in ADMINISTRATIVE:
        for who in (ALICE, SERVICE, ADMIN_ELSEWHERE):
            assert (await house.http.request(method, path, headers=who)).status_code == 403, path


async def test_the_configuration_in_force_hides_its_secrets(house: House) -> None:
    answer = await house.http.get("/admin/notifications/configuration", headers=ADMIN)
    told = answer.json()
    assert told["notifications"]["email"]["retry"]["max_attempts"] == 3
    assert house.settings.jwt.secret and house.settings.jwt.secret not in answer.text


async def test_send_now_waits_for_the_outcome(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway:
        answer = await gateway.http.post("/notifications/envoyer-immediatement", json=ALERT, headers=ALICE)
        assert answer.status_code == 201
        told = answer.json()
        assert (told["type"], told["statut"], told["destinataire"]) == ("sms", "en_attente", "+33123456789")
        assert (await gateway.get(told["id"]))["lane"] == "urgent"


async def test_process_and_trigger(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """What the pages' curl lines do: run the job, see what came of it, ask how the scheduler is."""
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway:

        async def status() -> dict[str, Any]:
            told: dict[str, Any] = (
                await gateway.http.get("/admin/notifications/scheduler/status", headers=ADMIN)
            ).json()
            return told

        async def alive() -> dict[str, Any] | None:
            return told if (told := await status())["actif"] else None

        assert (await status())["actif"] is False
        async with instance(kafka, database, WORKS, "scheduler"):
            told = await until(alive)
            assert {job["id"] for job in told["jobs"]} >= {"process_notifications", "check_deadlines", "daily_report"}
            assert told["jobs"][0].keys() == {"id", "statut", "derniere_execution", "prochaine_execution"}
            answer = await gateway.http.post(
                "/admin/notifications/scheduler/trigger/process_notifications", headers=ADMIN
            )
            assert (answer.status_code, answer.json()["statut"]) == (200, "terminé")
            assert answer.json()["resultat"]["fired"] == 7
            processed = await gateway.http.post("/admin/notifications/traiter-en-attente", headers=ADMIN)
            assert processed.json() == {"traitees": 7, "envoyees": 0, "echouees": 0, "restantes": 0}
        unknown = await gateway.http.post("/admin/notifications/scheduler/trigger/nonsense", headers=ADMIN)
        assert unknown.status_code == 404


async def test_where_some_owners_do_not_answer_the_others_are_told_of(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """Four of the five that clean up are not there: what the gateway has deleted is said all the same."""
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path), patience=1) as gateway:

        async def cleaned() -> dict[str, Any] | None:
            answer = await gateway.http.post("/admin/notifications/scheduler/trigger/cleanup", headers=ADMIN)
            assert answer.status_code == 202
            told: dict[str, Any] | None = answer.json()["resultat"]
            return told

        told = await until(cleaned)
        assert (told["deleted_count"], told["gateway"]["archived"]) == (0, 0)


@pytest.mark.parametrize("path", ["/notifications", "/notifications/"])
async def test_the_slash_at_the_end_may_be_left_out(house: House, path: str) -> None:
    answer = await house.http.get(path, headers=ALICE, follow_redirects=True)
    assert answer.status_code == 200


async def well(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ok": True, "detail": None, "checks": []}


async def no_login(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ok": False, "detail": "login: 535 5.7.8 no", "checks": []}


async def test_connections_are_tried_out_by_get_and_by_post(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    await make(kafka, *ALL)
    async with (
        instance(kafka, database, {"test_connection": no_login}, "email_sender"),
        instance(kafka, database, {"test_connection": well}, "sms_sender"),
        running(settings_of(kafka, database, tmp_path)) as gateway,
    ):
        for method in ("GET", "POST"):
            answer = await gateway.http.request(method, "/admin/notifications/test-connexions", headers=ADMIN)
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert told["email"]["ok"] is False and told["email"]["detail"].endswith(": login: 535 5.7.8 no")
            assert told["sms"]["ok"] is True and told["sms"]["detail"].endswith(": well")


async def test_the_old_socket_hears_what_is_shown_in_the_old_words(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """Only what is shown, with the four types; what is said to it has no meaning; it ends with its token."""
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway, others(kafka) as rest:
        async with connect(socket_of(gateway, token("bob")), open_timeout=PATIENCE) as socket:
            await socket.send("ping")
            await socket.send("{}")
            first = due_of(uuid4(), content=e.Content(text="t", kind="deadline_reminder", data={"dossier": 118}))
            await rest.say(first, due_of(uuid4(), content=e.Content(text="t", kind="else")))
            async with asyncio.timeout(PATIENCE):
                told = [json.loads(await socket.recv()) for _ in range(2)]
        reminder = next(frame for frame in told if frame["id"] == str(first.id))
        assert reminder.keys() == {"type", "id", "title", "message", "data", "timestamp"}
        assert (reminder["type"], reminder["data"]) == ("deadline_reminder", {"dossier": 118})
        assert {frame["type"] for frame in told} == {"deadline_reminder", "new_alert"}


async def test_the_old_socket_misses_nothing_that_is_shown_once_it_is_open(
    kafka: KafkaSettings, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows no `hello`: what comes before the gateway has looked its ticket up is heard as well."""
    open_ = asyncio.Event()

    async def redeem_late(*what: Any) -> Redeemed | None:
        await open_.wait()
        return await redeem(*what)

    monkeypatch.setattr(admission.tickets, "redeem", redeem_late)
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway, others(kafka) as rest:
        async with connect(socket_of(gateway, token("bob")), open_timeout=PATIENCE) as socket:
            shown = [due_of(uuid4()), due_of(uuid4())]
            await rest.say(*shown)

            async def in_the_inbox() -> bool:
                return len((await gateway.http.get("/v1/inbox", headers=BOB)).json()["items"]) == len(shown)

            await until(in_the_inbox)
            open_.set()
            async with asyncio.timeout(PATIENCE):
                told = [json.loads(await socket.recv())["id"] for _ in shown]
    assert set(told) == {str(one.id) for one in shown}


@pytest.mark.parametrize("bad", ["nonsense", "expired", "key"])
async def test_a_bad_token_is_refused_before_the_upgrade(
    kafka: KafkaSettings, database: str, tmp_path: Path, bad: str
) -> None:
    late = {"exp": datetime.now(UTC) - timedelta(hours=1)}
    text = {"nonsense": "nonsense", "expired": token("bob", **late), "key": "tk_" + "a" * 48}[bad]
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(socket_of(gateway, text), open_timeout=PATIENCE):
                pass
        assert refused.value.response.status_code == 403


async def test_while_the_database_is_away_the_old_socket_is_told_to_come_back(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    await make(kafka, *ALL)
    async with running(settings_of(kafka, database, tmp_path)) as gateway:
        async with away(database):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(socket_of(gateway, token("bob")), open_timeout=PATIENCE):
                    pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "1"


def socket_of(gateway: Gateway, text: str) -> str:
    return str(gateway.http.base_url.copy_with(scheme="ws", path=f"/api/v1/ws/{text}"))
