"""Every setting, with its type, its default and a sentence."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from contracts.status import Channel
from kit.settings.providers import (
    Connections,
    ConsoleProvider,
    EmailProvider,
    GmailProvider,
    SmsProvider,
    SmtpProvider,
    SnsProvider,
    TwilioProvider,
)
from kit.settings.retry import RetrySettings
from kit.settings.values import (
    Count,
    Cron,
    DatabaseUrl,
    Day,
    HttpUrl,
    Line,
    LogLevel,
    Network,
    Port,
    Price,
    SaslMechanism,
    Seconds,
    Secret,
    Section,
    Security,
    SecurityProtocol,
    Servers,
    Several,
    TimeOfDay,
    Words,
    Zone,
)
from kit.unsubscribing import Unsubscribing

EVERY_DAY: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DERIVED: Final = frozenset({"embedded", "reachable", "warnings"})


class ChannelSettings(Section):
    """What both channels have."""

    enabled: bool = True
    retry: RetrySettings = RetrySettings()
    on_unknown: Literal["resend", "fail"] = "resend"


class TenantSettings(Section):
    """How the mails of one tenant are headed: From, and where answers go that the request does not direct."""

    from_email: Line | None = None
    reply_to: Line | None = None


class EmailSettings(ChannelSettings):
    """Email: `provider` with the SMTP settings, or an ordered list of `providers`. `tenants` by name."""

    provider: Literal["smtp", "gmail"] = "smtp"
    providers: tuple[EmailProvider, ...] = ()
    tenants: Mapping[Line, TenantSettings] = Field(default_factory=dict)


class SmsChannelSettings(ChannelSettings):
    """SMS: `provider` with the Twilio or AWS settings, or an ordered list of `providers`."""

    provider: Literal["console", "twilio", "aws_sns"] = "console"
    providers: tuple[SmsProvider, ...] = ()
    countries: Annotated[tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...], Words] = ()


class JobTimes(Section):
    """When the scheduler runs a job by itself, as cron in `time_zone` (none: the default one)."""

    cleanup: Cron = "0 2 * * *"
    time_zone: Zone | None = None


class SchedulerSettings(Section):
    """Timers are exact anyway: the interval bounds the sweeps, the size one firing."""

    enabled: bool = True
    check_interval_seconds: Seconds = 60.0
    batch_size: Several = 50
    jobs: JobTimes = JobTimes()


class PerUser(Section):
    """Notifications one recipient may get; 0 is no limit."""

    hour: Count = 0
    day: Count = 0


class Overall(Section):
    """Notifications all together may be handed over; 0 is no limit."""

    minute: Count = 0


class PerCaller(Section):
    """Calls one caller may make of the gateway; 0 is no limit. What is over it is refused (429)."""

    minute: Count = 0


class LimitSettings(Section):
    """Caps. What is over one is sent later, not never; only a caller is told to come back."""

    per_user: PerUser = PerUser()
    per_caller: PerCaller = PerCaller()
    overall: Overall = Field(default=Overall(), alias="global")


class HoursSettings(Section):
    """The days and hours in which a channel may speak; urgent is not asked."""

    days: Annotated[tuple[Day, ...], Field(min_length=1), Words] = EVERY_DAY
    start: TimeOfDay = Field(default="00:00", alias="from")
    end: TimeOfDay = Field(default="24:00", alias="to")
    time_zone: Zone | None = None


class DigestSettings(Section):
    """What comes on this channel is gathered per person: every so many seconds, or once a day at this time there."""

    channel: Literal["email", "sms", "inapp"] = "email"
    every_seconds: Several | None = None
    at: TimeOfDay | None = None
    template: Line | None = None


class AlertSettings(Section):
    """Who is told when an alert comes in: persons of the tenant `default`, email addresses, numbers."""

    recipients: Annotated[tuple[Line, ...], Words] = ()


class CleanupSettings(Section):
    """What is deleted, and when: days counted from the end of a notification. Failed are those that failed, were
    rejected or not delivered; all others count as sent. Archives: from the day they were written, 0 keeps them."""

    enabled: bool = True
    delete_sent_after_days: Several = 30
    delete_failed_after_days: Several = 7
    archive_before_delete: bool = True
    delete_archives_after_days: Count = 0


class NotificationSettings(Section):
    """The tree below `notifications:`."""

    enabled: bool = True
    default_time_zone: Zone = "Europe/Paris"
    daily_report_at: Annotated[TimeOfDay, Field(pattern="^([01][0-9]|2[0-3])")] = "18:00"
    email: EmailSettings = EmailSettings()
    sms: SmsChannelSettings = SmsChannelSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    limits: LimitSettings = LimitSettings()
    hours: Mapping[Literal["email", "sms"], HoursSettings] = Field(default_factory=dict)
    digests: Mapping[Line, DigestSettings] = Field(default_factory=dict)
    transactional_categories: Annotated[tuple[Line, ...], Words] = ("account", "security", "transactional")
    alerts: AlertSettings = AlertSettings()
    cleanup: CleanupSettings = CleanupSettings()

    @cached_property
    def channels_off(self) -> frozenset[Channel]:
        """Those that this installation does without; the inbox is always there."""
        switches = {Channel.EMAIL: self.email.enabled, Channel.SMS: self.sms.enabled}
        return frozenset(channel for channel, on in switches.items() if not on)


class KafkaSettings(Section):
    """Where Kafka is, what our topics and groups are like there, and how we speak with it: `ssl_*` are files in PEM."""

    bootstrap_servers: Servers = "127.0.0.1:9092"
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""
    partitions: Annotated[int, Field(ge=1, le=1000)] = 12
    replication: Annotated[int, Field(ge=1, le=10)] = 1
    session_timeout_ms: Annotated[int, Field(ge=1000, le=600_000)] = 30_000
    security_protocol: SecurityProtocol = "PLAINTEXT"
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: Secret | None = None
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    sasl_username: Line | None = None
    sasl_password: Secret | None = None

    @property
    def is_private(self) -> bool:
        """Whether nobody in between can read what is said."""
        return self.security_protocol.endswith("SSL")

    @property
    def has_login(self) -> bool:
        """Whether we say who we are by name and password."""
        return self.security_protocol.startswith("SASL")


class SmtpSettings(Section):
    """The relay of `provider: smtp` or `gmail`; without a host, the mail catcher."""

    host: Line = "127.0.0.1"
    port: Port = 1025
    username: Line | None = None
    password: Secret | None = None
    from_email: Line = "tocsin@localhost"
    security: Security = "none"
    bounce_address: Line | None = None
    connections: Connections | None = None


class TwilioSettings(Section):
    """The account of `provider: twilio`."""

    account_sid: Line | None = None
    auth_token: Secret | None = None
    sender: Line | None = Field(default=None, alias="from")
    api_base: HttpUrl = "https://api.twilio.com"
    connections: Connections | None = None


class AwsSettings(Section):
    """The account of `provider: aws_sns`; without keys, those that the AWS libraries find by themselves."""

    endpoint_url_sns: HttpUrl | None = None
    region: Line | None = None
    access_key_id: Line | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    sender_id: Line | None = None
    max_price: Price | None = None
    connections: Connections | None = None


class SmsSettings(Section):
    """What the one SMS provider needs, in one hand."""

    provider: Literal["console", "twilio", "aws_sns"]
    twilio_account_sid: Line | None
    twilio_auth_token: Secret | None
    twilio_from: Line | None
    twilio_api_base: HttpUrl
    aws_endpoint_url_sns: HttpUrl | None
    aws_region: Line | None


class JwtSettings(Section):
    """How callers prove who they are: one shared secret (HS256) or the keys at a URL, never both."""

    secret: Secret | None = None
    jwks_url: HttpUrl | None = None
    issuer: Line = "tocsin"
    audience: Line = "tocsin"


class WebhookSettings(Section):
    """Where webhooks may lead: https out into the world, unless `http` is allowed (development), and into no network of
    the house but these."""

    allow_http: bool = False
    private_networks: Annotated[tuple[Network, ...], Words] = ()


class GatewaySettings(Section):
    """Where the gateway listens, who may address anyone (a closed installation removes `user`), which other sites'
    pages may open streams (`origins`; those of the gateway itself always may), and whether its page `/demo` gives
    tokens away (development only)."""

    host: Line = "127.0.0.1"
    port: Port = 8000
    address_anyone: Annotated[tuple[Literal["user", "service", "admin"], ...], Words] = (
        "user",
        "service",
        "admin",
    )
    origins: Annotated[tuple[HttpUrl, ...], Words] = ()
    demo: bool = False
    webhooks: WebhookSettings = WebhookSettings()


class PortSettings(Section):
    """The ports beside the gateway's own: health and metrics of each service, and the embedded servers. Without
    `gateway`, the gateway answers for its health where it answers everybody."""

    host: Line = "127.0.0.1"
    intake: Port = 8101
    scheduler: Port = 8102
    email_sender: Port = 8103
    sms_sender: Port = 8104
    gateway: Port | None = None
    kafka: Port = 9092
    mail_smtp: Port = 1025
    mail_page: Port = 8025
    returned_mail: Port = 2525

    def of(self, service: str) -> int | None:
        """The health port of a service, or None when it answers for its health on a port of its own making."""
        known = ("intake", "scheduler", "email_sender", "sms_sender", "gateway")
        return getattr(self, service) if service in known else None


class Settings(Section):
    """All of it. `embedded` names the servers `make run` starts itself, because nothing says where else they are;
    `reachable`: who gets our mails can follow a link to `public_url`."""

    notifications: NotificationSettings = NotificationSettings()
    kafka: KafkaSettings = KafkaSettings()
    database_url: DatabaseUrl
    smtp: SmtpSettings = SmtpSettings()
    twilio: TwilioSettings = TwilioSettings()
    aws: AwsSettings = AwsSettings()
    jwt: JwtSettings = JwtSettings()
    gateway: GatewaySettings = GatewaySettings()
    ports: PortSettings = PortSettings()
    public_url: HttpUrl = "http://127.0.0.1:8000"
    link_secret: Secret | None = None
    log_level: LogLevel = "INFO"
    state_dir: Path
    logs_dir: Path
    archive_dir: Path = Field(default_factory=lambda told: told["state_dir"] / "archive")
    embedded: frozenset[Literal["kafka", "postgresql", "mail"]] = Field(default=frozenset(), exclude=True)
    reachable: bool = Field(default=True, exclude=True)
    warnings: tuple[str, ...] = Field(default=(), exclude=True)

    @property
    def cleanup(self) -> CleanupSettings:
        return self.notifications.cleanup

    @property
    def unsubscribing(self) -> Unsubscribing | None:
        """What signs and reads the links to unsubscribe; None: there is no secret to sign them with."""
        if not self.link_secret:
            return None
        return Unsubscribing(self.public_url, self.link_secret, self.notifications.transactional_categories)

    @property
    def sms(self) -> SmsSettings:
        return SmsSettings(
            provider=self.notifications.sms.provider,
            twilio_account_sid=self.twilio.account_sid,
            twilio_auth_token=self.twilio.auth_token,
            twilio_from=self.twilio.sender,
            twilio_api_base=self.twilio.api_base,
            aws_endpoint_url_sns=self.aws.endpoint_url_sns,
            aws_region=self.aws.region,
        )

    @property
    def email_providers(self) -> tuple[SmtpProvider | GmailProvider, ...]:
        """The providers of email in their order; the single `provider` makes a list of one."""
        channel = self.notifications.email
        if channel.providers:
            return channel.providers
        kind = GmailProvider if channel.provider == "gmail" else SmtpProvider
        return (kind.model_validate({"name": channel.provider} | dict(self.smtp)),)

    @property
    def sms_providers(self) -> tuple[ConsoleProvider | TwilioProvider | SnsProvider, ...]:
        """The providers of SMS in their order; the single `provider` makes a list of one."""
        channel = self.notifications.sms
        if channel.providers:
            return channel.providers
        if channel.provider == "twilio":
            return (TwilioProvider.model_validate({"name": "twilio"} | dict(self.twilio)),)
        if channel.provider == "aws_sns":
            account = self.aws.model_dump(exclude={"endpoint_url_sns"})
            return (SnsProvider(name="aws_sns", endpoint_url=self.aws.endpoint_url_sns, **account),)
        return (ConsoleProvider(name="console"),)
