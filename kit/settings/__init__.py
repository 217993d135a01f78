"""What can be set, read once at the start from the YAML file, `.env` and the environment."""

from kit.settings.extras import NO_AWS, missing_extras
from kit.settings.load import load, need
from kit.settings.masking import masked
from kit.settings.problems import SettingsError
from kit.settings.providers import (
    ConsoleProvider,
    GmailProvider,
    ProviderSection,
    SmtpProvider,
    SnsProvider,
    TwilioProvider,
)
from kit.settings.retry import RetrySettings
from kit.settings.secrets import ensure_secrets, remember_database_url
from kit.settings.tree import (
    AwsSettings,
    ChannelSettings,
    CleanupSettings,
    GatewaySettings,
    HoursSettings,
    JwtSettings,
    KafkaSettings,
    LimitSettings,
    NotificationSettings,
    PortSettings,
    SchedulerSettings,
    Settings,
    SmsSettings,
    SmtpSettings,
    TenantSettings,
    TwilioSettings,
)

__all__ = [
    "NO_AWS",
    "AwsSettings",
    "ChannelSettings",
    "CleanupSettings",
    "ConsoleProvider",
    "GatewaySettings",
    "GmailProvider",
    "HoursSettings",
    "JwtSettings",
    "KafkaSettings",
    "LimitSettings",
    "NotificationSettings",
    "PortSettings",
    "ProviderSection",
    "RetrySettings",
    "SchedulerSettings",
    "Settings",
    "SettingsError",
    "SmsSettings",
    "SmtpProvider",
    "SmtpSettings",
    "SnsProvider",
    "TenantSettings",
    "TwilioProvider",
    "TwilioSettings",
    "ensure_secrets",
    "load",
    "masked",
    "missing_extras",
    "need",
    "remember_database_url",
]
