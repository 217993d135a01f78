"""What the old pages call things: `statut` for status, `destinataire` for whom it is for."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, Self
from uuid import UUID

from pydantic import ValidationError
from starlette.responses import Response

from contracts.request import NotificationRequest, Strict
from contracts.status import Channel, Lane, Status
from services.gateway.http.notifications import shapes
from services.gateway.http.operations import figures
from services.gateway.http.problems import Problem, fields_of, invalid
from services.gateway.http.shape import Shape
from services.gateway.rules.asked import Acceptance

WAITING: Final = "en_attente"
SENT: Final = "envoyé"
FAILED: Final = "échoué"
CANCELLED: Final = "annulé"

Statut = Literal["en_attente", "envoyé", "échoué", "annulé"]

STATUT: Final[Mapping[Status, Statut]] = MappingProxyType(
    {
        Status.ACCEPTED: WAITING,
        Status.SCHEDULED: WAITING,
        Status.RETRYING: WAITING,
        Status.SENT: SENT,
        Status.DELIVERED: SENT,
        Status.FAILED: FAILED,
        Status.REJECTED: FAILED,
        Status.EXPIRED: FAILED,
        Status.UNDELIVERED: FAILED,
        Status.CANCELLED: CANCELLED,
    }
)
_OUR_NAMES: Final = {"type": "channel", "destinataire": "to", "sujet": "subject", "contenu": "body"}
_THEIR_NAMES: Final = {ours: theirs for theirs, ours in _OUR_NAMES.items()}


class CompatRequest(Strict):
    """What somebody wants to have sent; `envoyer_immediatement` takes the urgent lane."""

    type: Literal["email", "sms"]
    destinataire: str
    sujet: str | None = None
    contenu: str
    envoyer_immediatement: bool = False

    def meant(self) -> NotificationRequest:
        """The same in our words. Raises Problem 422, with the fields as they are called here."""
        fields = {ours: getattr(self, theirs) for theirs, ours in _OUR_NAMES.items()}
        lane = Lane.URGENT if self.envoyer_immediatement else Lane.NORMAL
        try:
            return NotificationRequest.model_validate({**fields, "lane": lane})
        except ValidationError as error:
            raise renamed(invalid(fields_of(error))) from None


def renamed(problem: Problem) -> Problem:
    """The problem, with the fields as they are called here."""
    errors = [(_THEIR_NAMES.get(field, field), message) for field, message in problem.errors]
    return invalid(errors, problem.code) if errors else problem


class Whole(Shape):
    """Here what is not there is null, and not left out."""

    def response(self, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """As JSON."""
        return Response(self.model_dump_json(), status, headers, "application/json")


class CompatNotification(Whole):
    """One notification; `erreur` says why it has not been sent, or not yet."""

    id: UUID
    type: str
    destinataire: str | None
    sujet: str | None
    contenu: str | None
    statut: Statut
    tentatives: int
    erreur: str | None
    date_creation: datetime
    date_envoi: datetime | None

    @classmethod
    def new(cls, asked: CompatRequest, accepted: Acceptance) -> Self:
        """What is known of one as soon as it is accepted."""
        return cls(
            id=accepted.id,
            type=asked.type,
            destinataire=asked.destinataire,
            sujet=asked.sujet,
            contenu=asked.contenu,
            statut=STATUT[shapes.STATUS[accepted.rank]],
            tentatives=0,
            erreur=None,
            date_creation=accepted.accepted_at,
            date_envoi=None,
        )

    @classmethod
    def of(cls, found: shapes.Notification) -> Self:
        """The same in these words."""
        status = STATUT[found.status]
        return cls(
            id=found.id,
            type=found.channel or ",".join(found.channels or ()),
            destinataire=found.to or found.user_id,
            sujet=found.subject,
            contenu=found.body or found.html,
            statut=status,
            tentatives=found.attempts,
            erreur=None if status == SENT else found.detail or found.reason,
            date_creation=found.created_at,
            date_envoi=found.sent_at,
        )


class CompatPage(Whole):
    """The newest first; `suivant` is the `apres` of the page that follows."""

    notifications: tuple[CompatNotification, ...]
    suivant: str | None


class Counted(Whole):
    """What became of the notifications of one type."""

    total: int
    en_attente: int
    envoyees: int
    echouees: int
    taux_succes: float | None


def counted(stats: figures.Stats) -> dict[str, Counted]:
    """By type, of those that the old systems knew."""
    return {channel: _counted(stats.channels.get(channel, NOTHING)) for channel in (Channel.EMAIL, Channel.SMS)}


NOTHING: Final = figures.ChannelFigures(total=0, open=0, sent=0, failed=0)


def _counted(of: figures.ChannelFigures) -> Counted:
    return Counted(
        total=of.total, en_attente=of.open, envoyees=of.sent, echouees=of.failed, taux_succes=of.success_rate
    )


def total(stats: figures.Stats, statut: Statut) -> int:
    """How many have come to this."""
    return sum(n for status, n in stats.statuses.items() if STATUT[Status(status)] == statut)


EXAMPLE: Final[dict[str, Any]] = {
    "type": "email",
    "destinataire": "delivered@simulator.test",
    "sujet": "Votre IMEI a été vérifié",
    "contenu": "Votre IMEI 123456789012345 a été vérifié avec succès.",
    "envoyer_immediatement": False,
}
