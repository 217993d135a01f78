"""What providers call back, on roads without a token: their own signature says who is speaking."""

from collections.abc import Collection, Mapping
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from twilio.request_validator import RequestValidator

from contracts import addresses
from contracts import events as e
from contracts.status import Channel
from contracts.suppression import Cause
from contracts.topics import SETTINGS, Topic
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from kit.clock import utc_now
from kit.settings import Settings, TwilioProvider
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.documented import parameter, problems
from services.gateway.http.ids import new_id
from services.gateway.http.problems import forbidden, invalid, of_validation, unavailable
from services.gateway.rules import suppressing
from services.gateway.rules.opting import Wish, wish_of
from services.gateway.rules.suppressing import Kept
from services.gateway.store import suppressions

LARGEST: Final = 64 * 1024
SIGNATURE: Final = "X-Twilio-Signature"
PATH: Final = "/v1/callbacks/twilio"
ANSWERED: Final = "/v1/callbacks/twilio/messages"

_ANSWERS: Final = {status: told for status, told in problems(403, 413, 422, 503).items() if status not in (401, 429)}

Tenant = Annotated[str, Query(min_length=1, max_length=64, pattern=r"^[^/\s]+$")]

_FORM: Final = {"type": "object", "properties": {"MessageStatus": {"type": "string"}, "ErrorCode": {"type": "string"}}}
_REPORT: Final = {"MessageStatus": "delivered"}
_TAKES: Final = {
    "security": [],
    "parameters": [
        parameter(name, "As `sms_sender` wrote it into the address.") for name in ("tenant", "id", "try", "provider")
    ],
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": _FORM, "example": _REPORT}},
    },
}
_ANSWER: Final = {name: {"type": "string"} for name in ("From", "Body", "OptOutType")}
_TAKES_ANSWER: Final = {
    "security": [],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": _ANSWER},
                "example": {"From": "+33612345678", "Body": "STOP"},
            }
        },
    },
}


def router(desk: Desk) -> APIRouter:
    """The routes of the providers."""
    routes = APIRouter(tags=["callbacks"])

    @routes.post(PATH, status_code=204, response_class=Response, responses=_ANSWERS, openapi_extra=_TAKES)
    async def twilio(request: Request) -> Response:
        """What became of a text message, from Twilio. Answered once Kafka has it; what we do not answer is lost."""
        form = await _signed(desk, request, PATH)
        return await _said(desk, _receipt(dict(parse_qsl(request.url.query)), form))

    @routes.post(ANSWERED, status_code=204, response_class=Response, responses=_ANSWERS, openapi_extra=_TAKES_ANSWER)
    async def answered(request: Request, tenant: Tenant = "default") -> Response:
        """What somebody answers to a text message, from Twilio: after STOP nothing is sent to this number any more,
        after START it is again. To be set in the account as the webhook of incoming messages."""
        form = await _signed(desk, request, ANSWERED)
        number, wish = _number(form), wish_of(_text(form, "Body") or "", _text(form, "OptOutType"))
        if wish is Wish.STOP:
            return await _said(desk, suppressing.setting(tenant, Channel.SMS, number, Cause.STOP, utc_now(), new_id()))
        if wish is Wish.START and await _has_said_stop(desk, tenant, number):
            path = suppressing.path_of(suppressing.id_of(Channel.SMS, number))
            return await _said(desk, e.Tombstone(tenant=tenant, path=path), SETTINGS)
        return Response(status_code=204)

    return routes


def tokens(settings: Settings) -> list[str]:
    """The secrets of all accounts that text messages may be sent from."""
    return [one.auth_token for one in settings.sms_providers if isinstance(one, TwilioProvider)]


def is_signed(secrets: Collection[str], called: str, form: FormData, signature: str) -> bool:
    """Whether one of the accounts signed this call of exactly this address (twilio.com/docs/usage/security)."""
    return any(RequestValidator(one).validate(called, form, signature) for one in secrets)


async def _signed(desk: Desk, request: Request, path: str) -> FormData:
    """The form, once it is clear that Twilio has sent it. Raises Problem 403."""
    form = await _form(request)
    # Behind a proxy our own address is another one than Twilio has called and signed.
    query = f"?{request.url.query}" if request.url.query else ""
    called = f"{desk.settings.public_url.rstrip('/')}{path}{query}"
    if not is_signed(tokens(desk.settings), called, form, request.headers.get(SIGNATURE, "")):
        raise forbidden("wrong_signature", "this is not signed by Twilio for TOCSIN_PUBLIC_URL")
    return form


async def _said(desk: Desk, event: e.Event, topic: Topic | None = None) -> Response:
    """Answered once Kafka has it. Raises Problem 503."""
    try:
        await desk.publisher.publish([Outgoing(topic, event) if topic else Outgoing.of(event)])
    except PublishFailed:
        raise unavailable("Kafka", seconds=5) from None
    return Response(status_code=204)


async def _has_said_stop(desk: Desk, tenant: str, number: str) -> bool:
    """A number that does not exist, or that an admin has stopped, is not started by a word."""
    path = suppressing.path_of(suppressing.id_of(Channel.SMS, number))
    async with desk.front.connection() as connection:
        found = await suppressions.one(connection, tenant, path)
    return found is not None and Kept.of(found.value, found.as_of).suppression.reason == Cause.STOP


def _number(form: FormData) -> str:
    """Whose answer it is. Raises Problem 422."""
    try:
        return addresses.phone(_text(form, "From") or "")
    except ValueError as error:
        raise invalid([("From", str(error))]) from None


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    return value if isinstance(value, str) else None


async def _form(request: Request) -> FormData:
    body = await bodies.read(request, LARGEST)
    pairs: list[tuple[str, str | UploadFile]] = [*parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)]
    return FormData(pairs)


def _receipt(about: Mapping[str, str], form: FormData) -> e.Receipt:
    """`about` is what we wrote into the address. Raises Problem 422."""
    names = {"status": "MessageStatus", "code": "ErrorCode", "provider_id": "MessageSid"}
    said = {name: form.get(theirs) or None for name, theirs in names.items()}
    try:
        return e.Receipt.model_validate({**about, **said, "channel": Channel.SMS, "received_at": utc_now()})
    except ValidationError as error:
        raise of_validation(error) from None
