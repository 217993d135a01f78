"""What the settings ask for and what is not installed: said before anything starts, with the command that helps."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from kit.settings.providers import SnsProvider
from kit.settings.tree import Settings

AWS: Final = "aiobotocore"
NO_AWS: Final = (
    "sms.provider: aws_sns needs the AWS library, which is not installed here. Run `scripts/venv.sh aws`, or "
    "pip install 'tocsin[aws]', and start again."
)


def missing_extras(settings: Settings, find: Callable[[str], object | None] = find_spec) -> list[str]:
    """A sentence for each library that is wanted and not there. `find` answers None for one that is not."""
    wants_aws = any(isinstance(provider, SnsProvider) for provider in settings.sms_providers)
    return [NO_AWS] if wants_aws and find(AWS) is None else []
