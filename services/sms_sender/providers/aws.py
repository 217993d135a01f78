"""AWS's library is an extra: what is not wanted need not be installed, and what is wanted and missing is said."""

from typing import TYPE_CHECKING, Final

from kit.settings import NO_AWS, SettingsError, SnsProvider

if TYPE_CHECKING:
    from services.sms_sender.providers.sns import Sns

NO_REGION: Final = "AWS_REGION is not set, and the AWS library finds none. Set it, such as to eu-west-3."


def opened(told: SnsProvider) -> "Sns":
    """The provider `aws_sns`. Raises SettingsError without the library or a region."""
    try:
        from services.sms_sender.providers.sns import Account, Sns
    except ModuleNotFoundError as missing:
        raise SettingsError([NO_AWS]) from missing
    account = Account(
        told.region,
        told.access_key_id,
        told.secret_access_key,
        told.session_token,
        told.endpoint_url,
        told.sender_id,
        told.max_price,
    )
    sns = Sns(told.name, account, connections=told.connections)
    if sns.region is None:
        raise SettingsError([NO_REGION])
    return sns
