"""What a person's preferences come to when one category is stopped by email, or comes again."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

from contracts.preferences import CATEGORIES, Preferences

CHANNEL: Final = "email"

Categories = Mapping[str, Mapping[str, bool]]


def categories_of(event: str | None) -> Categories:
    """Out of the preference's event as JSON; none where there is no event."""
    return (from_json(event).get("value") or {}) if event else {}


def is_stopped(known: Categories, category: str) -> bool:
    """No mail of this category may come."""
    return known.get(category, {}).get(CHANNEL) is False


def stopped(known: Categories, category: str) -> dict[str, Any]:
    """The same without mails of this category. Raises ValidationError where there are too many others."""
    return _checked({**known, category: {**known.get(category, {}), CHANNEL: False}})


def allowed(known: Categories, category: str) -> dict[str, Any]:
    """The same with them again."""
    others = {channel: wanted for channel, wanted in known.get(category, {}).items() if channel != CHANNEL}
    rest = {name: wanted for name, wanted in known.items() if name != category}
    return _checked({**rest, category: others} if others else rest)


def kept(asked: Categories, seen: Categories, now: Categories) -> dict[str, Any]:
    """What somebody asked for who had `seen` these, where a link has changed some since: `now`. What he does not change
    himself stays as the link left it, so that neither is lost. Raises ValidationError where there are too many."""
    merged = dict(asked)
    for category in seen.keys() | now.keys():
        was, said = is_stopped(seen, category), is_stopped(asked, category)
        if said == was != is_stopped(now, category):
            merged = (allowed if was else stopped)(merged, category)
    return merged


def _checked(categories: Categories) -> dict[str, Any]:
    """As they are published: what may come anyway need not be said."""
    said = {name: wanted for name, wanted in categories.items() if False in wanted.values()}
    return dict(Preferences.model_validate({"categories": said}).parts()[CATEGORIES])
