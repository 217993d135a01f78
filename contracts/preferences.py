"""What a person wants: which categories on which channels, and when not to be disturbed."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from contracts.request import Name, Strict
from contracts.status import Channel

CATEGORIES: Final = "categories"
QUIET_HOURS: Final = "quiet_hours"
SUBJECTS: Final = (CATEGORIES, QUIET_HOURS)
"""Each is an object of its own in `directory.preferences`: one can change without the other."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
EVERY_DAY: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class Channels(Strict):
    """Whether a category may come this way; what is left out may."""

    email: bool | None = None
    sms: bool | None = None
    inapp: bool | None = None


class QuietHours(Strict):
    """From `from` to `to`, by the clock of the person's zone; ends on the day after where `to` is the earlier one.

    `days` are those on which they begin; left out, all.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    start: Annotated[TimeOfDay, Field(alias="from")]
    end: Annotated[TimeOfDay, Field(alias="to")]
    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] | None = None

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start == self.end:
            raise ValueError('from and to are the same: give "00:00" and "24:00" for the whole day')
        return self


class Preferences(Strict):
    """All that a person may wish for; an unknown category is allowed, since it is the senders who name them."""

    categories: Annotated[dict[Name, Channels], Field(max_length=200)] = {}
    quiet_hours: Annotated[tuple[QuietHours, ...], Field(max_length=20)] = ()

    @property
    def opted_out(self) -> frozenset[tuple[str, Channel]]:
        """What must not come: (category, channel)."""
        return frozenset(
            (category, channel)
            for category, wanted in self.categories.items()
            for channel in Channel
            if getattr(wanted, channel) is False
        )

    def parts(self) -> Mapping[str, dict[str, Any]]:
        """The values of the two objects that this is published as."""
        whole = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {CATEGORIES: whole[CATEGORIES], QUIET_HOURS: {"items": whole[QUIET_HOURS]}}

    @classmethod
    def of(cls, parts: Mapping[str, Mapping[str, Any]]) -> Self:
        """The other way round; an object that is not there wishes for nothing. Raises ValidationError."""
        quiet = parts.get(QUIET_HOURS, {}).get("items", ())
        return cls.model_validate({CATEGORIES: parts.get(CATEGORIES, {}), QUIET_HOURS: quiet})
