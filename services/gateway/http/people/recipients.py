"""Where a person is reached. The directory's topic is the truth: a change is answered once Kafka has it."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import field_validator
from starlette.requests import Request
from starlette.responses import Response

from contracts import addresses, events, local_time, topics
from contracts.request import HeaderText, Locale, Strict, header_text
from services.gateway.http import bodies
from services.gateway.http.changing import Changing
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.problems import not_found
from services.gateway.http.shape import Shape
from services.gateway.rules import trust
from services.gateway.rules.trust import Caller
from services.gateway.store.directory import Version

UserId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:@\-]+$")]


class RecipientRequest(Strict):
    """Where and how a person is reached; what is left out is forgotten."""

    email: HeaderText | None = None
    phone: HeaderText | None = None
    locale: Locale | None = None
    time_zone: str | None = None

    @field_validator("email")
    @classmethod
    def _email(cls, text: str | None) -> str | None:
        return text if text is None else addresses.email(header_text(text))

    @field_validator("phone")
    @classmethod
    def _phone(cls, text: str | None) -> str | None:
        return text if text is None else addresses.phone(header_text(text))

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, text: str | None) -> str | None:
        if text is not None:
            local_time.zone(text)
        return text


class Recipient(Shape):
    """A person of the directory."""

    user_id: str
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    updated_at: datetime | None = None


def router(desk: Desk) -> APIRouter:
    """The routes of the directory: a person's own entry, or anybody's for services and admins."""
    routes = APIRouter(prefix="/v1/recipients", tags=["recipients"])
    people = Changing(desk, topics.RECIPIENTS)
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("/{user_id}", response_model=Recipient, responses=problems(404, 422, 503))
    async def see(caller: Known, user_id: UserId) -> Response:
        """Where this person is reached."""
        _check(caller, user_id)
        version = await people.known(f"{caller.tenant}/{user_id}")
        if version is None or version.value is None:
            raise not_found("recipient")
        return _shown(version).response()

    @routes.put(
        "/{user_id}",
        response_model=Recipient,
        responses={202: {"model": Recipient}, **problems(404, 413, 422, 503)},
        openapi_extra=takes(
            RecipientRequest, {"email": "delivered@simulator.test", "locale": "fr", "time_zone": "Europe/Paris"}
        ),
    )
    async def put(request: Request, caller: Known, user_id: UserId) -> Response:
        """Say where this person is reached. 200 once it is in force here, 202 when that takes longer."""
        _check(caller, user_id)
        asked = await bodies.model(request, RecipientRequest, desk.limits.notification_bytes)
        told = events.Recipient(
            tenant=caller.tenant, user_id=user_id, command=new_id(), **asked.model_dump(exclude_none=True)
        )
        version = await people.put(told)
        if version is None:
            return Recipient(user_id=user_id, **asked.model_dump()).response(HTTPStatus.ACCEPTED)
        return _shown(version).response()

    @routes.delete("/{user_id}", status_code=HTTPStatus.NO_CONTENT, responses={202: {}, **problems(404, 422, 503)})
    async def delete(caller: Known, user_id: UserId) -> Response:
        """Forget this person: what is open is cancelled, contents and addresses are blanked in every service. 204 once
        the entry is gone here, 202 when that takes longer; an admin's erase also answers with a report."""
        _check(caller, user_id)
        gone = await people.forget(caller.tenant, user_id)
        return Response(status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    return routes


def _check(caller: Caller, user_id: str) -> None:
    if not trust.may_edit_person(caller, user_id):
        raise not_found("recipient")


def _shown(version: Version) -> Recipient:
    told = events.Recipient.model_validate_json(version.value or "{}")
    common = told.model_dump(include=set(Recipient.model_fields))
    return Recipient.model_validate(common | {"updated_at": version.as_of})
