"""What an operator may ask of a sender beside its jobs: to try out a provider."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.jobs import TEST_CONNECTION
from kit.control.running import CannotBeDone, Work
from kit.delivery.provider import Provider
from kit.delivery.trial import Triable

SECONDS: Final = 10.0
"""For one trial in all."""


def trials(providers: Sequence[Provider]) -> dict[str, Work]:
    """The works of a sender that has these providers; the argument `provider` says which, none: the first one."""

    async def test(args: Mapping[str, Any]) -> Mapping[str, Any]:
        name = args.get("provider") or providers[0].name
        found = next((provider for provider in providers if provider.name == name), None)
        if found is None:
            raise CannotBeDone(f"there is no provider {name} here; there is {', '.join(p.name for p in providers)}")
        if not isinstance(found, Triable):
            raise CannotBeDone(f"{name} cannot be tried out without sending something")
        return {"provider": found.name, **(await found.tried(SECONDS)).told()}

    return {TEST_CONNECTION: test}
