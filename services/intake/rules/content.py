"""To whom, and what: the request, the directory and a template become what is sent."""

from collections.abc import Callable
from typing import Final

from pydantic_core import to_json

from contracts import addresses
from contracts.events import Content
from contracts.request import HEADER_CHARACTERS, NOTHING_TO_SAY, SMS_CHARACTERS, NotificationRequest, header_text
from contracts.status import Channel
from kit.rendering import Rendered, Unrenderable, render
from kit.rendering.hypertext import check_depth
from services.intake.rules.facts import Facts, Person
from services.intake.rules.row import Frozen, Row

LARGEST: Final = 900 * 1024
"""Bytes of content as JSON. A record has 1 MiB; the rest is for the fields of a `due` and of the `retry` around it."""
LONGEST_ESCAPE: Final = 6
"""Bytes that JSON makes of one character at most (RFC 8259, 7: `\\u0001`)."""

LINK: Final = "unsubscribe_url"
"""What a template calls the link by which its mails can be stopped; there where they can."""

NOBODY: Final = Person()


class Unsendable(Exception):
    """It cannot be sent: a stable word, and for people the field and what would help."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class NotKnown(Unsendable):
    """It names what the directory does not know, or not yet (P3.6)."""


# ------------------------------------------------------------------------------------------------ to whom


def resolve(row: Row, facts: Facts) -> Frozen:
    """The inputs of the verdict as they are now. Raises Unsendable, or NotKnown."""
    request = row.wanted()
    person = facts.people.get((row.tenant, row.user_id)) if row.user_id else None
    to = _address(row, request, person, facts)
    template = _version(row, request.template, facts) if request.template else None
    known = person or NOBODY
    zone = request.time_zone or known.time_zone or facts.policy.time_zone
    return Frozen(to, request.locale or known.locale, zone, template)


def _address(row: Row, request: NotificationRequest, person: Person | None, facts: Facts) -> str | None:
    match row.channel:
        case Channel.EMAIL:
            return _checked(request.to or _known(row, person).email, request, row, addresses.email)
        case Channel.SMS:
            number = _checked(request.to or _known(row, person).phone, request, row, addresses.phone)
            return _allowed(number, _field(request), facts)
        case _:
            return None


def _known(row: Row, person: Person | None) -> Person:
    if person is None:
        raise NotKnown(
            "unknown_recipient", f"user_id: the directory has no {row.user_id}: put the recipient there first"
        )
    return person


def _checked(address: str | None, request: NotificationRequest, row: Row, check: Callable[[str], str]) -> str:
    if not address:
        kind = "email address" if row.channel is Channel.EMAIL else "telephone number"
        raise Unsendable("no_address", f"user_id: {row.user_id} has no {kind} in the directory: put one there")
    try:
        return check(header_text(address))
    except ValueError as error:
        raise Unsendable("bad_address", f"{_field(request)}: {error}") from None


def _field(request: NotificationRequest) -> str:
    """Where the address comes from."""
    return "to" if request.to else "user_id"


def _allowed(number: str, field: str, facts: Facts) -> str:
    try:
        addresses.check_country(number, facts.policy.countries)
    except addresses.BadAddress as error:
        raise Unsendable("country_not_allowed", f"{field}: {error}") from None
    return number


def _version(row: Row, name: str, facts: Facts) -> str:
    found = facts.templates.get((row.tenant, name))
    if found is None:
        raise NotKnown("unknown_template", f"template: there is no {name}: an admin can put it there")
    return found.version


# ------------------------------------------------------------------------------------------------ what


def content_of(row: Row, frozen: Frozen, facts: Facts) -> Content:
    """What is sent: a pure function of what is stored. Raises Unsendable where the template cannot be filled in."""
    request = row.wanted()
    email = row.channel is Channel.EMAIL
    link = _unsubscribe(row, request, facts)
    texts = own = _own_texts(row, request)
    if frozen.template is not None:
        texts = _filled(_rendered(row, request, frozen, facts, link), own)
    return Content(
        to=frozen.to,
        subject=texts.subject,
        text=texts.text,
        html=texts.html,
        reply_to=request.reply_to if email else None,
        attachments=request.attachments if email else None,
        kind=request.kind,
        category=request.category,
        locale=frozen.locale,
        data=request.data if row.channel is Channel.INAPP else None,
        template=frozen.template,
        unsubscribe=link,
        raw=True if texts.html is not None and texts.html is own.html else None,
    )


def check(row: Row, content: Content) -> None:
    """Raises Unsendable for what no sender could send. Asked once, by the verdict: a repeat is not judged again."""
    if content.text is None and content.html is None:
        raise Unsendable("invalid", f"body: nothing to send by {row.channel}: give body, or a template with it")
    if row.channel is Channel.EMAIL and not content.subject:
        raise Unsendable("invalid", "subject: an email needs one: give subject, or a template with it")
    _check_subject(content.subject or "")
    if content.raw and content.html is not None:
        _check_depth(content.html)
    if row.channel is Channel.SMS:
        _check_text_message(content.text or "")
    if _may_be_large(row, content) and (size := len(to_json(content, exclude_none=True))) > LARGEST:
        raise Unsendable(
            "too_large",
            f"body: with all its parts it has {size} bytes as JSON, the limit is {LARGEST}: shorten it, or send a "
            "link instead of an attachment",
        )


def _check_subject(subject: str) -> None:
    """As of a request's own: a template makes it of whatever the data brings along."""
    try:
        header_text(subject)
    except ValueError as error:
        raise Unsendable("invalid", f"subject: {error}") from None
    if len(subject) > HEADER_CHARACTERS:
        raise Unsendable("too_large", f"subject: has more than {HEADER_CHARACTERS} characters: shorten it")


def _check_text_message(text: str) -> None:
    if not text.strip():
        raise Unsendable("invalid", f"body: {NOTHING_TO_SAY}")
    if (length := len(text)) > SMS_CHARACTERS:
        raise Unsendable(
            "too_large", f"body: a text message holds {SMS_CHARACTERS} characters, this one has {length}: shorten it"
        )


def _check_depth(html: str) -> None:
    try:
        check_depth(html)
    except Unrenderable as error:
        raise Unsendable(error.reason, f"html: {error.detail}") from None


def _own_texts(row: Row, request: NotificationRequest) -> Rendered:
    return Rendered(
        subject=None if row.channel is Channel.SMS else request.subject,
        text=request.body,
        html=request.html if row.channel is Channel.EMAIL else None,
    )


def _unsubscribe(row: Row, request: NotificationRequest, facts: Facts) -> str | None:
    """The link by which this person stops mails of this category. An address alone has no preferences to say it in."""
    links, category = facts.policy.unsubscribing, request.category
    if links is None or category is None or row.user_id is None or row.channel is not Channel.EMAIL:
        return None
    return links.link(row.tenant, row.user_id, category)


def _rendered(row: Row, request: NotificationRequest, frozen: Frozen, facts: Facts, link: str | None) -> Rendered:
    found = facts.templates.get((row.tenant, frozen.template or ""))
    if found is None or found.template is None or row.channel is None:
        trouble = found.trouble if found else "this version is gone"
        raise Unsendable("bad_template", f"template: {frozen.template}: {trouble}")
    data = {**(request.data or {}), LINK: link} if link else request.data
    try:
        return render(found.template, row.channel, frozen.locale, data)
    except Unrenderable as error:
        raise Unsendable(error.reason, f"template: {frozen.template}: {error.detail}") from None


def _filled(made: Rendered, own: Rendered) -> Rendered:
    """A part that the template leaves out is the request's own."""
    bare = made.text is None and made.html is None
    return Rendered(
        subject=own.subject if made.subject is None else made.subject,
        text=own.text if bare else made.text,
        html=own.html if bare else made.html,
    )


def _may_be_large(row: Row, content: Content) -> bool:
    """By an upper bound: what a template writes is counted at its worst, beside the whole request."""
    size = len(row.body or b"")
    if content.template is not None:
        size += LONGEST_ESCAPE * sum(len(text or "") for text in (content.subject, content.text, content.html))
    return size > LARGEST
