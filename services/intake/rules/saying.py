"""What a row says: to whoever repeats a request, a ripe or an edit, and to the sweep (P3.1)."""

from contracts import events as e
from contracts.events import Content
from contracts.status import Status
from services.intake.rules.content import content_of
from services.intake.rules.facts import Facts
from services.intake.rules.row import Row, State

_HEARD: dict[Status, type[e.Taken]] = {model.status: model for model in (e.Sent, e.Delivered, e.Undelivered)}


def say(row: Row, facts: Facts, again: bool = False, content: Content | None = None) -> tuple[e.Event, ...]:
    """Waiting: scheduled. Handed: due, or due with the end it was asked for. Ended: the outcome.

    `again`: the gateway asks what it never heard; of a handed row it hears only that it is handed, since driving it
    is the sweep's. `content`: that of a verdict just reached, which need not be rendered twice.
    """
    match row.state:
        case State.WAITING:
            return (scheduled(row),)
        case State.HANDED if again:
            return (handed(row),)
        case State.HANDED if row.end is not None:
            return (ending(row),)
        case State.HANDED:
            return (due(row, content or _frozen_content(row, facts)),)
        case State.ENDED:
            return (outcome(row),)
        case _:
            return ()


def scheduled(row: Row) -> e.Scheduled:
    """It waits until `planned_at`; arms a timer."""
    return e.Scheduled(
        **row.common(),
        round=row.round,
        edit=row.edit,
        at=row.planned_at,
        expires_at=row.expires_at,
        why=row.reason,
    )


def handed(row: Row) -> e.Scheduled:
    """A sender has it; arms no timer."""
    return e.Scheduled(**row.common(), round=row.round, edit=row.edit, expires_at=row.expires_at, handed=True)


def due(row: Row, content: Content) -> e.Due:
    """Send it now."""
    at = row.planned_at or row.accepted_at
    windows = row.frozen.windows if row.frozen else None
    return e.Due(
        **row.common(),
        template=content.template,
        round=row.round,
        at=at,
        expires_at=row.expires_at or at,
        content=content,
        windows=windows,
    )


def ending(row: Row) -> e.Due:
    """Do not send it any more; goes to the channel's urgent lane, where it overtakes what waits (P3.4)."""
    at = row.planned_at or row.accepted_at
    asked = {"end": row.end, "end_reason": row.reason}
    return e.Due(**row.common(), round=row.round, at=at, expires_at=row.expires_at or at, **asked)


def outcome(row: Row) -> e.Event:
    """How it ended: in the words that were heard, or in our own."""
    if row.answer is None:
        return failed(row)
    model = _HEARD.get(row.outcome or Status.FAILED, e.Failed)
    heard: e.Taken | e.Failed = model.model_validate_json(row.answer)
    return heard if heard.unknown >= row.unknown else heard.model_copy(update={"unknown": row.unknown})


def failed(row: Row) -> e.Failed:
    """An end of intake's own making."""
    return e.Failed.model_validate(
        row.common()
        | {
            "outcome": row.outcome,
            "reason": row.reason or row.outcome,
            "detail": row.detail,
            "unknown": row.unknown,
        }
    )


def take_back(row: Row) -> e.TakeBack:
    """Its timer is of no use any more; nothing depends on it (P4.3)."""
    return e.TakeBack(tenant=row.tenant, id=row.id, round=row.round)


def _frozen_content(row: Row, facts: Facts) -> Content:
    if row.frozen is None:
        raise LookupError(f"{row.id} was handed over without a verdict")
    return content_of(row, row.frozen, facts)
