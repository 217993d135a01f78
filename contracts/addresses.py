"""Is this an address that mail or a text message can be sent to? Decided without asking the network."""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

SIMULATOR_DOMAIN: Final = "simulator.test"
SIMULATOR_MAILBOXES: Final = ("delivered", "bounce", "slow", "unavailable", "unknown")
SIMULATOR_NUMBERS: Final = {f"+1500555000{n}": name for n, name in enumerate(SIMULATOR_MAILBOXES, start=1)}

# Most addresses look like this, and need no parser: letters, digits and single dots.
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9_+\-]|\.(?!\.)){0,63}(?<!\.)@"
    r"([A-Za-z0-9](?:[A-Za-z0-9\-]|\.(?!\.))*\.[A-Za-z]{2,63})"
)
_NUMBER: Final = re.compile(r"\+[0-9][0-9 .()\-]{5,30}")
_LONGEST: Final = 254  # RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets

# Unicode TS 39, 5.2 "highly restrictive": the only alphabets that are written together.
_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
)


class BadAddress(ValueError):
    """The address cannot be used; the text says why and what would help."""


def simulator(address: str) -> str | None:
    """Which fate a simulator address plays ("delivered", "bounce", ...), or None for a real one."""
    if address.startswith("+"):
        return SIMULATOR_NUMBERS.get(address)
    if not address.lower().endswith("@" + SIMULATOR_DOMAIN) or not _PLAIN.fullmatch(address):
        return None
    name = address.lower().partition("@")[0].partition("+")[0]
    return name if name in SIMULATOR_MAILBOXES else None


def address_hash(address: str) -> str:
    """What an address is known by where nobody is to be found by it (P8); capital letters make no other one."""
    return sha256(address.strip().lower().encode()).hexdigest()[:32]


@lru_cache(maxsize=8192)
def email(text: str) -> str:
    """The address, its domain in small letters. Raises BadAddress.

    The syntax is RFC 5321/6531 by email-validator, without comments, quoted local parts and address literals.
    A label that mixes alphabets, Latin with Cyrillic say, is refused: it is how look-alike domains are made.
    """
    if len(text) <= _LONGEST and (plain := _PLAIN.fullmatch(text)):
        domain = plain[1].lower()
        if domain == SIMULATOR_DOMAIN and simulator(text):
            return text
        _check_domain(domain)
        return text[: plain.start(1)] + domain
    return _full(text)


@lru_cache(maxsize=8192)
def phone(text: str) -> str:
    """The number in E.164 ("+33612345678"). Raises BadAddress when it is no valid international number.

    Blanks, dots, hyphens and brackets are dropped; extensions and letters are refused.
    """
    if text in SIMULATOR_NUMBERS:
        return text
    if not _NUMBER.fullmatch(text):
        raise BadAddress("is not an international number: write it as +<country><number>, for example +33612345678")
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise BadAddress(f"is not a telephone number: {error}") from error
    if not phonenumbers.is_valid_number(number):
        raise BadAddress("is not a number that exists in its country's numbering plan: look for a missing digit")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=4096)
def _check_domain(domain: str) -> None:
    _full(f"a@{domain}")


def country(number: str) -> str | None:
    """The two letters of the country that a number of `phone` belongs to; None for one of no country, such as +800."""
    found: str | None = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    return None if found == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else found


def check_country(number: str, countries: Collection[str]) -> None:
    """Raises BadAddress for a number of a country that is not in the list (two letters each; none: all are).

    The list is against fraud: nobody pays for messages to where there are no recipients. Simulators are free of it.
    """
    if countries and not simulator(number) and (found := country(number)) not in countries:
        whose = f"numbers of {found} are" if found else "numbers of no country are"
        raise BadAddress(f"{whose} not in the setting sms.countries: an admin can put them there")


def _full(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, strict=True)
    except (EmailNotValidError, UnicodeError) as error:
        raise BadAddress(f"is not an email address: {str(error).rstrip('.')}. Write it as name@example.org") from error
    for label in found.domain.split("."):
        if _mixes_alphabets(label):
            raise BadAddress(f"its domain mixes alphabets in “{label}”: write the domain in one alphabet")
    return found.normalized


def _mixes_alphabets(label: str) -> bool:
    alphabets = {unicodedata.name(c, "?").partition(" ")[0] for c in label if c.isalpha()}
    return len(alphabets) > 1 and not any(alphabets <= together for together in _TOGETHER)
