"""What providers call back, on roads without a token: their own signature says who is speaking."""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from twilio.request_validator import RequestValidator

from contracts import events as e
from contracts.status import Channel
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from kit.clock import utc_now
from kit.settings import Settings, TwilioProvider
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.documented import parameter, problems
from services.gateway.http.problems import forbidden, of_validation, unavailable

LARGEST: Final = 64 * 1024
SIGNATURE: Final = "X-Twilio-Signature"
PATH: Final = "/v1/callbacks/twilio"

_ANSWERS: Final = {status: told for status, told in problems(403, 413, 422, 503).items() if status not in (401, 429)}
_FORM: Final = {"type": "object", "properties": {"MessageStatus": {"type": "string"}, "ErrorCode": {"type": "string"}}}
_TAKES: Final = {
    "security": [],
    "parameters": [
        parameter(name, "As `sms_sender` wrote it into the address.") for name in ("tenant", "id", "try", "provider")
    ],
    "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": _FORM}}},
}


def router(desk: Desk) -> APIRouter:
    """The routes of the providers."""
    routes = APIRouter(tags=["callbacks"])

    @routes.post(PATH, status_code=204, response_class=Response, responses=_ANSWERS, openapi_extra=_TAKES)
    async def twilio(request: Request) -> Response:
        """What became of a text message, from Twilio. Answered once Kafka has it; what we do not answer is lost."""
        form = await _form(request)
        # Behind a proxy our own address is another one than Twilio has called and signed.
        called = f"{desk.settings.public_url.rstrip('/')}{PATH}?{request.url.query}"
        if not is_signed(tokens(desk.settings), called, form, request.headers.get(SIGNATURE, "")):
            raise forbidden("wrong_signature", "this is not signed by Twilio for TOCSIN_PUBLIC_URL")
        receipt = _receipt(dict(parse_qsl(request.url.query)), form)
        try:
            await desk.publisher.publish([Outgoing.of(receipt)])
        except PublishFailed:
            raise unavailable("Kafka", seconds=5) from None
        return Response(status_code=204)

    return routes


def tokens(settings: Settings) -> list[str]:
    """The secrets of all accounts that text messages may be sent from."""
    return [one.auth_token for one in settings.sms_providers if isinstance(one, TwilioProvider)]


def is_signed(secrets: Collection[str], called: str, form: FormData, signature: str) -> bool:
    """Whether one of the accounts signed this call of exactly this address (twilio.com/docs/usage/security)."""
    return any(RequestValidator(one).validate(called, form, signature) for one in secrets)


async def _form(request: Request) -> FormData:
    body = await bodies.read(request, LARGEST)
    pairs: list[tuple[str, str | UploadFile]] = [*parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)]
    return FormData(pairs)


def _receipt(about: Mapping[str, str], form: FormData) -> e.Receipt:
    """`about` is what we wrote into the address. Raises Problem 422."""
    said = {"status": form.get("MessageStatus") or None, "code": form.get("ErrorCode") or None}
    try:
        return e.Receipt.model_validate({**about, **said, "channel": Channel.SMS, "received_at": utc_now()})
    except ValidationError as error:
        raise of_validation(error) from None
