"""The functions of the two systems that came before, with their signatures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from .aio import AsyncTocsin
from .errors import TocsinError
from .rest import Tocsin
from .shapes import Ask, Notification

PATIENCE: Final = 5.0
"""Seconds that the outcome is waited for."""
STATUTS: Final[Mapping[str, str]] = {
    "accepted": "en_attente",
    "scheduled": "en_attente",
    "retrying": "en_attente",
    "sent": "envoyé",
    "delivered": "envoyé",
    "failed": "échoué",
    "rejected": "échoué",
    "expired": "échoué",
    "undelivered": "échoué",
    "cancelled": "annulé",
}


class Resultat(TypedDict):
    """What became of it. `success`: it was sent, or is on its way; `erreur` says why not."""

    success: bool
    notification_id: str | None
    statut: str
    erreur: str | None


async def send_notification_now(
    user_id: str, notification_type: str, destinataire: str, sujet: str | None = None, contenu: str = ""
) -> Resultat:
    """Sends an email or a text message at once, and waits up to five seconds for the outcome. Raises nothing of ours.

    `TOCSIN_URL` and `TOCSIN_TOKEN` say where and as whom. `user_id` is found again as `metadata.user_id`.
    """
    ask: dict[str, Any] = {
        "channel": notification_type,
        "to": destinataire,
        "subject": sujet,
        "body": contenu,
        "lane": "urgent",
        "metadata": {"user_id": str(user_id)[:64]},
    }
    try:
        async with AsyncTocsin(*_where()) as tocsin:
            told = await tocsin.notify(
                wait=PATIENCE, **{name: value for name, value in ask.items() if value is not None}
            )
    except TocsinError as error:
        return Resultat(success=False, notification_id=None, statut="échoué", erreur=str(error))
    return _result(told)


def _result(told: Notification) -> Resultat:
    statut = STATUTS[told.status]
    success = statut in ("envoyé", "en_attente")
    return Resultat(
        success=success,
        notification_id=told.id,
        statut=statut,
        erreur=None if statut == "envoyé" else told.detail or told.reason,
    )


class _Task:
    """A function that some call, and some `delay`, as if it were a task of Celery's."""

    def __call__(self, user_id: str, dossier_data: Mapping[str, Any]) -> Notification:
        """Puts a `dossier_update` into the inbox of `user_id`, with the dossier as its data. Raises TocsinError."""
        with Tocsin(*_where()) as tocsin:
            return tocsin.notify(**_dossier(str(user_id), dossier_data))

    def delay(self, user_id: str, dossier_data: Mapping[str, Any]) -> Notification:
        """The same: once it returns, it cannot get lost; no worker has to be up for that."""
        return self(user_id, dossier_data)


notify_dossier_created: Final = _Task()


def _dossier(user_id: str, data: Mapping[str, Any]) -> Ask:
    named = next((str(data[name]) for name in ("titre", "nom", "title", "name", "id") if data.get(name)), "")
    plain: dict[str, Any] = json.loads(json.dumps(dict(data), default=str))
    return Ask(
        channel="inapp",
        user_id=user_id,
        kind="dossier_update",
        subject="Nouveau dossier",
        body=f"Le dossier {named} a été créé." if named else "Un dossier a été créé.",
        data=plain,
    )


def _where() -> tuple[str, str]:
    return os.environ.get("TOCSIN_URL", "http://127.0.0.1:8000"), os.environ.get("TOCSIN_TOKEN", "")
