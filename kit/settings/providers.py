"""The providers of a channel, each with the settings of its own kind."""

from typing import Annotated, Literal

from pydantic import Field

from kit.settings.values import HttpUrl, Line, Port, Price, Secret, Section, Security, Several

Connections = Annotated[int, Field(ge=1, le=1000)]


class ProviderSection(Section):
    """What every provider has: a name of its own and how much it may be given."""

    name: Line
    per_second: Several | None = None
    per_minute: Several | None = None
    per_day: Several | None = None


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


class ConsoleProvider(ProviderSection):
    """No SMS leaves: it is written to logs/sms_simulation.log."""

    type: Literal["console"] = "console"


class TwilioProvider(ProviderSection):
    """Twilio's Messages API. `from` is a number, a sender name or a messaging service."""

    type: Literal["twilio"] = "twilio"
    account_sid: Line
    auth_token: Secret
    sender: Line = Field(alias="from")
    api_base: HttpUrl = "https://api.twilio.com"


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


EmailProvider = Annotated[SmtpProvider | GmailProvider, Field(discriminator="type")]
SmsProvider = Annotated[ConsoleProvider | TwilioProvider | SnsProvider, Field(discriminator="type")]
