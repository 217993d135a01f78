"""What becomes of a text message at AWS SNS: each row of the table at a server that really answers so."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.events import Content
from contracts.status import Channel, Lane
from contracts.suppression import Cause
from deploy.local.ports import free_port
from kit.delivery.outcomes import Accepted, Halted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.provider import Parcel
from kit.settings import Settings, SettingsError, load
from services.sms_sender.app import provider as made
from services.sms_sender.providers.sns import TIMEOUT, Account, Sns
from services.sms_sender.providers.sns_trying import SANDBOX
from services.sms_sender.settings import LEASE_SECONDS
from tests.kit.delivery.support import due
from tests.services.sms_sender.sns_server import SnsServer, moto_server, resetting_server, sns_server
from tests.waiting import PATIENCE, eventually

NUMBER = "+33612345678"
LOST = Unknown("unknown_outcome", "no answer from AWS SNS")
NOT_AWS = Unknown("unknown_outcome", "an answer that is not AWS's")
TRANSIENT, CONFIGURATION = "provider_unavailable", "provider_configuration"


def first_of(settings: Settings) -> Any:
    """The provider that the settings name first."""
    return made(settings.sms_providers[0], settings)


@pytest.fixture(autouse=True)
def _nobody_elses_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No account, no role and no settings of the machine that runs the tests."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
                 "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SNS"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
async def server() -> AsyncIterator[SnsServer]:
    async with sns_server() as one:
        yield one


@pytest.fixture
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@asynccontextmanager
async def sns(
    base: str, *, timeout: float = PATIENCE, connections: int | None = None, **more: Any
) -> AsyncIterator[Sns]:
    fields = {"region": "eu-west-3", "access_key_id": "AKIA0", "secret_access_key": "secret"} | more
    provider = Sns("aws_sns", Account(endpoint=base, **fields), timeout=timeout, connections=connections)
    try:
        yield provider
    finally:
        await provider.close()


def parcel(text: str = "Hi.", to: str = NUMBER, lane: Lane = Lane.NORMAL) -> Parcel:
    return Parcel(due(lane, channel=Channel.SMS, content=Content(to=to, text=text)))


async def said_by(base: str, one: Parcel | None = None, **more: Any) -> Outcome:
    async with sns(base, **more) as provider:
        return await provider.hand_over(one or parcel())


# ---------------------------------------------------------------------------------------------- moto


async def test_taken_by_motos_server_with_its_parts(moto: str) -> None:
    said = await said_by(moto, parcel("“" + "a" * 70))
    assert isinstance(said, Accepted)
    assert said.provider_id and (said.segments, said.encoding) == (2, "UCS-2")
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        backend = (await http.get(f"{moto}/moto-api/data.json")).json()
    assert NUMBER in str(backend["sns"]), "moto has kept the message"


async def test_a_number_that_motos_server_refuses(moto: str) -> None:
    said = await said_by(moto, parcel(to="+0"))
    assert isinstance(said, Refused)
    assert said.reason == "recipient_refused" and said.detail and said.detail.startswith("InvalidParameter")


# ---------------------------------------------------------------------------------------------- the stand-in


async def test_what_is_handed_over(server: SnsServer) -> None:
    said = await said_by(server.base, parcel("“" + "a" * 70), sender_id="Tocsin", max_price=0.1)
    assert said == Accepted("sns-1", segments=2, encoding="UCS-2")
    [told], [signature] = server.messages, server.signatures
    assert (told["Action"], told["PhoneNumber"], told["Message"]) == ("Publish", NUMBER, "“" + "a" * 70)
    assert attributes(told) == {
        "AWS.SNS.SMS.SMSType": "Transactional",
        "AWS.SNS.SMS.SenderID": "Tocsin",
        "AWS.SNS.SMS.MaxPrice": "0.10000",
    }
    assert "Credential=AKIA0/" in signature and "/eu-west-3/sns/" in signature


def attributes(told: dict[str, str]) -> dict[str, str]:
    names = {key.rpartition(".")[0]: name for key, name in told.items() if key.endswith(".Name")}
    return {name: told[f"{place}.Value.StringValue"] for place, name in names.items()}


async def test_bulk_is_promotional(server: SnsServer) -> None:
    await said_by(server.base, parcel(lane=Lane.BULK))
    assert attributes(server.messages[0]) == {"AWS.SNS.SMS.SMSType": "Promotional"}


def halted(code: str, status: int = 400) -> tuple[int, str, str, Outcome]:
    return status, code, "as told", Halted(CONFIGURATION, f"{code} as told", alarming=True)


def again(code: str, status: int = 400) -> tuple[int, str, str, Outcome]:
    return status, code, "as told", Unavailable(TRANSIENT, f"{code} as told")


def unheard(code: str, status: int) -> tuple[int, str, str, Outcome]:
    return status, code, "as told", Unknown("unknown_outcome", f"{code} as told")


def message_refused(code: str) -> tuple[int, str, str, Outcome]:
    return 400, code, "Invalid parameter: as told", Refused("message_refused", f"{code} Invalid parameter: as told")


@pytest.mark.parametrize(
    ("status", "code", "text", "expected"),
    [
        unheard("InternalError", 500),
        unheard("InternalFailure", 500),
        again("ServiceUnavailable", 503),
        again("Throttled", 429),
        again("Throttling"),
        again("ThrottlingException"),
        again("ThrottledException", 429),
        again("KMSThrottling"),
        again("RequestLimitExceeded", 503),
        again("TooManyRequestsException", 429),
        again("SomethingNewOutside", 503),
        unheard("SomethingNewInside", 500),
        message_refused("InvalidParameter"),
        message_refused("InvalidParameterValue"),
        message_refused("ParameterValueInvalid"),
        message_refused("ValidationException"),
        message_refused("ValidationError"),
        *[
            (400, code, f"Invalid parameter: PhoneNumber Reason: {NUMBER} is not valid to publish to",
             Refused("recipient_refused", f"{code} Invalid parameter: PhoneNumber Reason: <phone> is not valid to "
                     "publish to", suppress=Cause.HARD_BOUNCE))
            for code in ("InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid")
        ],
        (400, "EndpointDisabled", "it is", Refused("recipient_refused", "EndpointDisabled it is", Cause.HARD_BOUNCE)),
        (400, "OptedOut", "as told", Refused("recipient_refused", "OptedOut as told", suppress=Cause.STOP)),
        halted("AuthorizationError", 403),
        halted("InvalidSecurity", 403),
        halted("InvalidClientTokenId", 403),
        halted("SignatureDoesNotMatch", 403),
        halted("SomethingForbidden", 403),
        halted("ExpiredToken"),
        halted("RequestExpired"),
        halted("AccessDeniedException"),
        halted("MissingAuthenticationToken"),
        halted("IncompleteSignature"),
        halted("OptInRequired", 403),
        halted("KMSAccessDenied"),
        halted("KMSDisabled"),
        halted("KMSInvalidState"),
        halted("KMSNotFound"),
        halted("KMSOptInRequired", 403),
        halted("NotFound", 404),
        (400, "SomethingNew", "as told", Unavailable("provider_refused", "SomethingNew as told")),
    ],
)  # fmt: skip
async def test_what_an_answer_comes_to(server: SnsServer, status: int, code: str, text: str, expected: Outcome) -> None:
    server.answer = (status, code, text)
    async with sns(server.base) as provider:
        assert await provider.hand_over(parcel()) == expected
        assert len(server.messages) == 1, "the library tries nothing again by itself"
        server.answer = None
        assert isinstance(await provider.hand_over(parcel()), Accepted), "the next message is none the worse"


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ({}, None),
        ({"GetSMSAttributes": "AuthorizationError", "GetSMSSandboxAccountStatus": "AuthorizationError"}, None),
        ({"GetSMSAttributes": "InvalidClientTokenId"}, "login: InvalidClientTokenId as told"),
        ({"GetSMSSandboxAccountStatus": True}, f"sender: {SANDBOX}"),
    ],
    ids=["well", "allowed to publish alone", "wrong keys", "in the sandbox"],
)
async def test_tried_out_without_sending(server: SnsServer, answers: dict[str, Any], wrong: str | None) -> None:
    server.asked = answers
    async with sns(server.base, sender_id="Tocsin") as provider:
        trial = await provider.tried(PATIENCE)
    assert trial.ok is (wrong is None) and (wrong is None or trial.detail == wrong), trial
    assert "Publish" not in [told["Action"] for told in server.messages]


async def test_tried_out_at_motos_server(moto: str) -> None:
    """Which knows nothing of sandboxes."""
    async with sns(moto) as provider:
        trial = await provider.tried(PATIENCE)
    assert trial.ok and [check.name for check in trial.checks] == ["connection", "login", "sender"]


async def test_tried_out_where_nobody_listens_or_without_credentials() -> None:
    async with sns(f"http://127.0.0.1:{free_port()}") as provider:
        assert [(one.name, one.ok) for one in (await provider.tried(PATIENCE)).checks] == [("connection", False)]
    async with sns("http://127.0.0.1:1", access_key_id=None, secret_access_key=None) as provider:
        assert (await provider.tried(PATIENCE)).detail == "login: no AWS credentials: NoCredentialsError"


async def test_aws_says_when_to_come_back(server: SnsServer) -> None:
    server.answer, server.retry_after = (503, "ServiceUnavailable", "as told"), "7"
    assert await said_by(server.base) == Unavailable(TRANSIENT, "ServiceUnavailable as told", retry_after=7.0)
    server.retry_after = "9" * 400
    assert await said_by(server.base) == Unavailable(TRANSIENT, "ServiceUnavailable as told", retry_after=86_400.0)


async def test_p5_2_a_proxy_that_heard_no_answer_either_leaves_it_unknown(server: SnsServer) -> None:
    server.answer = "proxy"
    assert await said_by(server.base) == Unknown("unknown_outcome", "502 Bad Gateway")
    assert len(server.messages) == 1


async def test_p5_2_no_answer_in_time_is_unknown(server: SnsServer) -> None:
    server.answer = "silence"
    assert await said_by(server.base, timeout=3.0) == LOST
    assert len(server.messages) == 1


async def test_p5_2_a_connection_that_ends_before_the_answer_does_is_unknown(server: SnsServer) -> None:
    server.answer = "drop"
    assert await said_by(server.base) == LOST
    assert len(server.messages) == 1


async def test_p5_2_a_connection_that_is_reset_after_the_message_is_unknown() -> None:
    """The library calls this an endpoint that it could not connect to."""
    async with resetting_server() as base:
        assert await said_by(base) == LOST


async def test_p5_2_success_in_words_that_are_not_awss_is_unknown(server: SnsServer) -> None:
    server.answer = "page"
    assert await said_by(server.base) == NOT_AWS


async def test_nobody_listens_and_so_it_is_surely_not_sent() -> None:
    said = await said_by(f"http://127.0.0.1:{free_port()}")
    assert said == Unavailable(TRANSIENT, "no connection to AWS SNS: ClientConnectorError")


async def test_a_certificate_that_nobody_trusts_is_surely_not_sent(server: SnsServer) -> None:
    said = await said_by(server.base.replace("http:", "https:"))
    assert isinstance(said, Unavailable) and said.reason == TRANSIENT


async def test_as_many_at_a_time_as_the_settings_say(server: SnsServer) -> None:
    server.answer = "silence"
    async with sns(server.base, connections=150) as provider:
        said = asyncio.gather(*(provider.hand_over(parcel()) for _ in range(150)))
        await eventually(lambda: len(server.messages) == 150)
        server.goes_on.set()
        assert {type(one) for one in await said} == {Accepted}


async def test_without_credentials_nothing_is_tried_and_they_are_found_once_they_are_there(
    server: SnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sns(server.base, access_key_id=None, secret_access_key=None) as provider:
        said = await provider.hand_over(parcel())
        assert said == Halted(CONFIGURATION, "no AWS credentials: NoCredentialsError", alarming=True)
        assert server.messages == []
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA1")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert isinstance(await provider.hand_over(parcel()), Accepted)
    assert "Credential=AKIA1/" in server.signatures[0]


async def test_a_role_that_is_refused_halts_and_calls_no_message_unknown(
    server: SnsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("who this machine is")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/sender")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.base)
    server.answer = (403, "AccessDenied", "as told")
    said = await said_by(server.base, access_key_id=None, secret_access_key=None)
    assert said == Halted(CONFIGURATION, "no AWS credentials: AccessDenied", alarming=True)
    assert {told["Action"] for told in server.messages} == {"AssumeRoleWithWebIdentity"}
    (tmp_path / "token").unlink()
    said = await said_by(server.base, access_key_id=None, secret_access_key=None)
    assert said == Halted(CONFIGURATION, "no AWS credentials: FileNotFoundError", alarming=True)


def test_the_time_out_leaves_a_lease_room() -> None:
    assert TIMEOUT < LEASE_SECONDS / 2


# ---------------------------------------------------------------------------------------------- put together


def variables(**more: str) -> dict[str, str]:
    return {"DATABASE_URL": "postgresql://nobody@127.0.0.1/none", "SMS_PROVIDER": "aws_sns", **more}


async def test_chosen_and_put_together_by_the_settings(server: SnsServer, tmp_path: Path) -> None:
    told = variables(
        AWS_REGION="eu-west-3",
        AWS_ACCESS_KEY_ID="AKIA0",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_SESSION_TOKEN="of a role",
        AWS_SNS_SENDER_ID="Tocsin",
        AWS_SNS_MAX_PRICE="0.5",
        AWS_ENDPOINT_URL_SNS=server.base,
    )
    provider = first_of(load(tmp_path, told))
    assert isinstance(await provider.hand_over(parcel()), Accepted)
    assert attributes(server.messages[0])["AWS.SNS.SMS.SenderID"] == "Tocsin"
    await provider.close()


def test_without_its_library_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "services.sms_sender.providers.sns", raising=False)
    monkeypatch.setitem(sys.modules, "aiobotocore.config", None)
    with pytest.raises(SettingsError, match=r"aws_sns needs the AWS library.*Run `scripts/venv.sh aws`"):
        first_of(load(tmp_path, variables(AWS_REGION="eu-west-3")))


def test_without_a_region_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AWS_REGION is not set"):
        first_of(load(tmp_path, variables()))


def test_half_a_key_is_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one half of a key: set AWS_SECRET_ACCESS_KEY too"):
        load(tmp_path, variables(AWS_REGION="eu-west-3", AWS_ACCESS_KEY_ID="AKIA0"))
