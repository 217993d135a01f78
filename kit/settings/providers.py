"""The providers of a channel, each with the settings of its own kind."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from kit.settings.values import HttpUrl, Line, Port, Price, Secret, Section, Security, Several

Connections = Annotated[int, Field(ge=1, le=1000)]
GMAIL_PER_DAY: Final = 500
"""Mails in any 24 hours from an address of gmail.com (support.google.com/mail/answer/22839)."""
WORKSPACE_PER_DAY: Final = 2000
"""The same of Google Workspace, under any other domain (support.google.com/a/answer/166852)."""


def gmail_per_day(username: str) -> int:
    """How many mails Gmail takes from this account in a day."""
    return GMAIL_PER_DAY if username.lower().endswith(("@gmail.com", "@googlemail.com")) else WORKSPACE_PER_DAY


class ProviderSection(Section):
    """What every provider has: a name of its own and how much it may be given."""

    name: Line
    per_second: Several | None = None
    per_minute: Several | None = None
    per_day: Several | None = None

    @property
    def quota_per_day(self) -> int | None:
        """`per_day`, or what is known of such a provider."""
        return self.per_day


class SmtpProvider(ProviderSection):
    """A relay."""

    type: Literal["smtp"] = "smtp"
    host: Line
    port: Port = 587
    username: Line | None = None
    password: Secret | None = None
    from_email: Line
    security: Security = "starttls"
    bounce_address: Line | None = None
    connections: Connections | None = None

    @property
    def is_gmail(self) -> bool:
        """Whether Gmail is behind it, which puts return addresses of its own in the place of ours."""
        return self.host.endswith((".gmail.com", ".googlemail.com"))


class GmailProvider(ProviderSection):
    """Gmail's relay, with an application password."""

    type: Literal["gmail"] = "gmail"
    host: Line = "smtp.gmail.com"
    port: Port = 587
    username: Line
    password: Secret
    from_email: Line | None = None
    security: Security = "starttls"
    bounce_address: Line | None = None
    connections: Connections | None = None
    is_gmail: ClassVar[bool] = True

    @property
    def quota_per_day(self) -> int:
        return self.per_day or gmail_per_day(self.username)


class ConsoleProvider(ProviderSection):
    """No SMS leaves: it is written to logs/sms_simulation.log."""

    type: Literal["console"] = "console"
    connections: ClassVar[None] = None


class TwilioProvider(ProviderSection):
    """Twilio's Messages API. `from` is a number, a sender name or a messaging service."""

    type: Literal["twilio"] = "twilio"
    account_sid: Line
    auth_token: Secret
    sender: Line = Field(alias="from")
    api_base: HttpUrl = "https://api.twilio.com"
    connections: Connections | None = None


class SnsProvider(ProviderSection):
    """AWS SNS. Without keys or region, those that the AWS libraries find by themselves. `sender_id` is shown as the
    sender where a country allows it; `max_price` is what one message may cost, in US dollars."""

    type: Literal["aws_sns"] = "aws_sns"
    endpoint_url: HttpUrl | None = None
    region: Line | None = None
    access_key_id: Line | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    sender_id: Line | None = None
    max_price: Price | None = None
    connections: Connections | None = None


EmailProvider = Annotated[SmtpProvider | GmailProvider, Field(discriminator="type")]
SmsProvider = Annotated[ConsoleProvider | TwilioProvider | SnsProvider, Field(discriminator="type")]
