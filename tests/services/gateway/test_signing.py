"""Tokens that are signed elsewhere: each key good for its own algorithm, fetched seldom, and nothing that a token says
of itself believed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from deploy.local.ports import free_port
from kit.clock import utc_now
from kit.settings import JwtSettings
from kit.web_server import WebServer
from services.gateway.http.access.auth import Tokens
from services.gateway.http.access.signing import Published
from services.gateway.http.problems import Problem
from tests.services.gateway.test_http_auth import unsigned

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OKP_KEY = ed25519.Ed25519PrivateKey.generate()
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)

PUBLISHED: list[dict[str, Any]] = [
    json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())) | {"kid": "rsa", "alg": "RS256", "use": "sig"},
    json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())) | {"kid": "ec"},
    json.loads(OKPAlgorithm.to_jwk(OKP_KEY.public_key())) | {"kid": "okp", "alg": "EdDSA"},
    json.loads(RSAAlgorithm.to_jwk(STRANGER.public_key())) | {"kid": "enc", "alg": "RS256", "use": "enc"},
    {"kty": "oct", "kid": "shared", "alg": "HS256", "k": "c2VjcmV0IHRoYXQgaXMgcHVibGlzaGVkIGZvciBhbGw"},
    {"kty": "moon", "kid": "strange"},
    {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
    {"kty": "RSA"},
]


@dataclass
class Publisher:
    """An identity provider's page; what it says may change, or go away."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: list(PUBLISHED))
    status: int = 200
    location: str = ""
    asked: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        body = json.dumps({"keys": self.keys}).encode()
        headers = [(b"location", self.location.encode())] if self.location else []
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def published(page: Publisher, **pace: float) -> AsyncIterator[Tokens]:
    server = WebServer(page, "127.0.0.1", free_port(), "A_TEST")
    await server.start()
    try:
        nobody: Any = None
        url = f"http://127.0.0.1:{server.port}/keys"
        yield Tokens(JwtSettings(jwks_url=url), Published(url, **pace), nobody, nobody)
    finally:
        await server.stop()


def signed(
    key: Any = RSA_KEY, algorithm: str = "RS256", kid: Any = "rsa", /, *, header: Any = None, **claims: Any
) -> str:
    now = utc_now()
    common = {"sub": "alice", "iss": "tocsin", "aud": "tocsin", "iat": now, "exp": now + timedelta(days=1)}
    headers = ({"kid": kid} if kid is not None else {}) | (header or {})
    return jwt.encode(common | {"tenant": "acme", "roles": ["admin"]} | claims, key, algorithm, headers=headers)


async def answer(tokens: Tokens, token: str) -> int | str:
    try:
        return (await tokens.caller_of(token)).sub
    except Problem as problem:
        return problem.status.value


async def test_each_published_key_is_good_for_its_own_algorithm() -> None:
    async with published(Publisher()) as tokens:
        for key, algorithm, kid in ((RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec"), (OKP_KEY, "EdDSA", "okp")):
            caller = await tokens.caller_of(signed(key, algorithm, kid))
            assert (caller.sub, caller.tenant, caller.role) == ("alice", "acme", "admin"), kid


def public_pem() -> bytes:
    form, kind = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.PEM
    return RSA_KEY.public_key().public_bytes(kind, form)


def forged(secret: bytes, **header: Any) -> str:
    """HS256 over what the header says, whatever the secret looks like: PyJWT refuses to sign with a public key."""
    claims = jwt.decode(signed(), options={"verify_signature": False})
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    text = b".".join(parts)
    mac = base64.urlsafe_b64encode(hmac.new(secret, text, hashlib.sha256).digest()).rstrip(b"=")
    return b".".join([text, mac]).decode()


NOW = utc_now()
BAD = {
    "alg none": unsigned(alg="none", kid="rsa"),
    "no signature": unsigned(alg="RS256", kid="rsa"),
    "HS256 with the public key": forged(public_pem(), alg="HS256", kid="rsa"),
    "HS256 with a published secret": forged(b"secret that is published for all", alg="HS256", kid="shared"),
    "another of the family": signed(RSA_KEY, "RS512"),
    "PSS with the RSA key": signed(RSA_KEY, "PS256"),
    "a stranger's key": signed(STRANGER, "RS256"),
    "a key that is not for signing": signed(STRANGER, "RS256", "enc"),
    "the key of another kind": signed(EC_KEY, "ES256", "rsa"),
    "no kid": signed(RSA_KEY, "RS256", None),
    "kid that is no text": unsigned(alg="RS256", kid=7),
    "kid that is a path": signed(RSA_KEY, "RS256", "../../../../dev/null"),
    "kid that is an address": signed(RSA_KEY, "RS256", "http://127.0.0.1/keys"),
    "kid that is a query": signed(RSA_KEY, "RS256", "rsa' or '1'='1"),
    "kid of a broken key": signed(RSA_KEY, "RS256", "broken"),
    "jku": signed(STRANGER, header={"jku": "http://127.0.0.1:1/keys"}),
    "x5u": signed(STRANGER, header={"x5u": "http://127.0.0.1:1/keys"}),
    "jwk": signed(STRANGER, header={"jwk": json.loads(RSAAlgorithm.to_jwk(STRANGER.public_key()))}),
    "crit": signed(header={"crit": ["exp2"], "exp2": 1}),
    "expired": signed(exp=NOW - timedelta(minutes=1)),
    "from the future": signed(iat=NOW + timedelta(days=1), exp=NOW + timedelta(days=2)),
    "not yet": signed(nbf=NOW + timedelta(hours=12)),
    "wrong audience": signed(aud="another"),
    "several audiences, none ours": signed(aud=["another", "a third"]),
    "wrong issuer": signed(iss="another"),
    "rubbish": "rubbish",
    "long": "a" * 9000,
    "empty": "",
}


async def test_what_proves_nothing_is_refused() -> None:
    """The confusion set (RFC 8725): none, one kind of key for another, kid, jku, crit, time, audience."""
    async with published(Publisher()) as tokens:
        for name, token in BAD.items():
            assert await answer(tokens, token) == 401, name
        assert await answer(tokens, signed()) == "alice"


async def test_unknown_keys_cost_one_fetch_in_thirty_seconds() -> None:
    """Whoever invents key ids, however many at once."""
    page = Publisher()
    async with published(page) as tokens:
        many = [signed(STRANGER, "RS256", f"kid{n}") for n in range(50)]
        assert set(await asyncio.gather(*(answer(tokens, token) for token in many))) == {401}
        assert await answer(tokens, signed()) == "alice"
        assert page.asked == 1


async def test_a_new_key_is_found_and_one_that_is_gone_is_nobodys() -> None:
    """The provider changes its keys."""
    page = Publisher()
    async with published(page, fresh=0.0, again_after=0.0) as tokens:
        assert await answer(tokens, signed()) == "alice"
        page.keys = [json.loads(RSAAlgorithm.to_jwk(STRANGER.public_key())) | {"kid": "new", "alg": "RS256"}]
        assert await answer(tokens, signed(STRANGER, "RS256", "new")) == "alice"
        assert await answer(tokens, signed(sub="alice2")) == 401


async def test_while_the_provider_is_away_its_keys_stay_good() -> None:
    page = Publisher()
    async with published(page, fresh=0.0, again_after=0.0) as tokens:
        assert await answer(tokens, signed()) == "alice"
        page.status = 500
        assert await answer(tokens, signed(sub="bob")) == "bob"
        assert await answer(tokens, signed(STRANGER, "RS256", "new")) == 401


@pytest.mark.parametrize(
    "page", [Publisher(status=500), Publisher(status=302, location="/keys"), Publisher(keys=[{}] * 200_000)]
)
async def test_without_any_keys_nobody_is_refused_for_good(page: Publisher) -> None:
    """503: nobody can say whether the token is good. Redirects are not followed, and no more is read than keys need."""
    async with published(page) as tokens:
        assert await answer(tokens, signed()) == 503
        assert page.asked == 1
