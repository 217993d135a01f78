"""Is this an address that mail or a text message can be sent to? Decided without asking the network."""

import re
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

SIMULATOR_DOMAIN = "simulator.test"
SIMULATOR_MAILBOXES = ("delivered", "bounce", "slow", "unavailable", "unknown")
SIMULATOR_NUMBERS = {f"+1500555000{n}": name for n, name in enumerate(SIMULATOR_MAILBOXES, start=1)}

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_+\-]|\.(?!\.))*(?<!\.)@([A-Za-z0-9](?:[A-Za-z0-9\-]|\.(?!\.))*\.[A-Za-z]{2,63})")
_SCRIPT = re.compile(r"([a-z\u00e0-\u024f])|([\u0370-\u03ff])|([\u0400-\u04ff])", re.IGNORECASE)


class BadAddress(ValueError):
    """The address cannot be used; the text says why and what would help."""


def simulator(address: str) -> str | None:
    """Which fate a simulator address plays ("delivered", "bounce", ...), or None for a real one."""
    local, _, domain = address.rpartition("@")
    if domain.lower() == SIMULATOR_DOMAIN:
        name = local.lower().partition("+")[0]
        return name if name in SIMULATOR_MAILBOXES else None
    return SIMULATOR_NUMBERS.get(address)


def email(text: str) -> str:
    """The address, normalised. Raises BadAddress.

    The syntax is RFC 5321/6531 by email-validator, without comments, quoted local parts and address literals.
    A label that mixes Latin with Greek or Cyrillic letters is refused: it is how look-alike domains are made.
    """
    if simulator(text):
        return text
    if len(text) <= 254 and (plain := _PLAIN.fullmatch(text)) and len(text) - len(plain[1]) <= 65:
        _check_domain(plain[1].lower())
        return text
    return _full(text)


@lru_cache(maxsize=4096)
def _check_domain(domain: str) -> None:
    _full(f"a@{domain}")


def _full(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        raise BadAddress(f"is not an email address: {error}") from error
    for label in found.domain.split("."):
        if len({match.lastindex for match in _SCRIPT.finditer(label)}) > 1:
            raise BadAddress(f"its domain mixes alphabets in “{label}”: write the domain in one alphabet")
    return found.normalized


def phone(text: str) -> str:
    """The number in E.164 ("+33612345678"). Raises BadAddress when it is not an international, possible number."""
    if text in SIMULATOR_NUMBERS:
        return text
    if not text.startswith("+"):
        raise BadAddress("is not an international number: write it as +<country><number>, for example +33612345678")
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise BadAddress(f"is not a telephone number: {error}") from error
    if not phonenumbers.is_valid_number(number):
        raise BadAddress("is not a number that exists in its country's numbering plan")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
