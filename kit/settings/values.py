"""What a value of a setting can be, and what is said when it is not."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kit.recurrence import cron
from kit.settings.masking import HIDDEN, MASK, is_hidden

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_URL = re.compile(r"""https?://[^\s<>"\x00-\x1f\x7f-\U0010ffff]+""")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("an IANA time zone such as Europe/Paris") from None
    return name


def _words(value: Any) -> Any:
    """`a, b` is a list too: an environment variable has no other way to say one."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _no_line_break(value: str) -> str:
    if any(ord(character) < 32 for character in value):
        raise ValueError("one line of text without control characters")
    return value


def _http_url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("a URL that starts with http:// or https://, in ASCII and without blanks")
    return value.rstrip("/")


def _postgres_url(value: str) -> str:
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("a URL that starts with postgresql://")
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError("a network such as 10.20.0.0/16 or fd00::/8") from None


def _time_of_day(value: str) -> str:
    if not _TIME_OF_DAY.fullmatch(value):
        raise ValueError('a time of day from "00:00" to "24:00"')
    return value


def _cron(value: str) -> str:
    try:
        cron.check(value)
    except cron.BadCron as error:
        raise ValueError(f"a cron expression; this one {error}") from None
    return value


def _servers(value: str) -> str:
    for server in value.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("host:port, several separated by commas")
    return ",".join(server.strip() for server in value.split(","))


Line = Annotated[str, AfterValidator(_no_line_break)]
Secret = Annotated[str, AfterValidator(_no_line_break), HIDDEN]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Network = Annotated[str, AfterValidator(_network)]
Zone = Annotated[str, AfterValidator(_zone)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
Several = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
Cron = Annotated[str, AfterValidator(_cron)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
Security = Annotated[Literal["starttls", "tls", "none"], BeforeValidator(_lower)]
SecurityProtocol = Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)]
SaslMechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)]
DatabaseUrl = Annotated[Secret, AfterValidator(_postgres_url)]
Servers = Annotated[str, AfterValidator(_servers)]
Words = BeforeValidator(_words)


class Section(BaseModel):
    """A branch of the tree: read only, and without keys we do not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            hidden = name is not None and value is not None and is_hidden(type(self), name)
            yield name, MASK if hidden else value
