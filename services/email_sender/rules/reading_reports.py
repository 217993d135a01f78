"""What other mail servers send back: delivery reports, complaints, and all that is neither.

RFC 3464 and RFC 6533 (delivery status), RFC 5965 (complaints); what comes in plain words is for `plain_words`.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes, message_from_string
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

from services.email_sender.rules.plain_words import content, in_plain_words, text
from services.email_sender.rules.replies import Reply
from services.email_sender.rules.report import STATUS, Kind, Report, failed, mildest, specific, told

MOST_BLOCKS: Final = 50
MOST_PARTS: Final = 50
LOOKED_AT: Final = 256 * 1024
"""Bytes of a mail: its report stands before the mail of ours that it brings along."""
MOST_WORK: Final = 5_000_000
"""Lines times boundaries: the parser compares each line with all that it stands within."""
COMPLAINTS: Final = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})
"""Types of feedback after which nobody writes again (RFC 5965, 7.3; RFC 6449)."""
STATUSES: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
WHOM: Final = ("X-Actual-Recipient", "Final-Recipient", "Original-Recipient")
HABITS: Final = ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "List-Id")

_CODED: Final = re.compile(r"([245]\d\d)[ -](.*)", re.DOTALL)
_EMPTY_LINE: Final = re.compile(r"\r?\n\r?\n")


class Tangled(ValueError):
    """It would take long to read, as no report does."""


def read(source: bytes) -> Report | None:
    """What a mail reports; None where it reports nothing, as an automatic answer does. Raises Tangled, and what
    Python's parser does on a mail that nobody could read."""
    mail = _parsed(source[:LOOKED_AT])
    for part in _parts(mail):
        kind = part.get_content_type()
        if kind == "message/feedback-report":
            return _complaint(part, mail)
        if kind in STATUSES:
            return mildest(report for block in _blocks(part) if (report := _of_block(block)))
    return in_plain_words(mail)


def is_automatic(source: bytes) -> bool:
    """Whether nobody has written this by hand (RFC 3834, 5; and what was usual before it)."""
    mail = BytesHeaderParser().parsebytes(source[:LOOKED_AT])
    said = str(mail.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    bulk = str(mail.get("Precedence", "")).strip().lower() in ("bulk", "junk", "list", "auto_reply")
    return said != "no" or bulk or any(name in mail for name in HABITS)


def _parsed(source: bytes) -> Message:
    if len(source.splitlines()) * source.lower().count(b"boundary") > MOST_WORK:
        raise Tangled("too many parts within each other")
    return message_from_bytes(source)


def _parts(mail: Message) -> Iterator[Message]:
    """Of a report the parts beside the mail that is returned with it: what stands in there reports nothing to us."""
    if mail.get_content_type() != "multipart/report" or not mail.is_multipart():
        return
    for number, part in enumerate(mail.get_payload()):
        if number < MOST_PARTS and isinstance(part, Message):
            yield part


# ------------------------------------------------------------------------------------------------ delivery status


def _blocks(part: Message) -> Iterator[Message]:
    """The fields about each recipient (RFC 3464, 2.1), whatever the parser made of them: of the international form it
    makes a mail, whose text are all blocks but the first."""
    found = part.get_payload()
    blocks = [one for one in found if isinstance(one, Message)] if isinstance(found, list) else [part]
    if len(blocks) == 1:
        blocks = [*blocks, *map(message_from_string, _EMPTY_LINE.split(content(blocks[0])))]
    return (block for block in blocks[:MOST_BLOCKS] if "Action" in block)


def _of_block(block: Message) -> Report | None:
    action = str(block["Action"]).partition("(")[0].strip().lower()
    reply = _reply(_field(block, "Status"), _field(block, "Diagnostic-Code"))
    match action:
        case "failed":
            return failed(reply, _whom(block))
        case "delivered":
            return Report(Kind.DELIVERED, told(reply))
        case "delayed" | "relayed" | "expanded":  # of the last two nobody hears more
            return Report(Kind.DELAYED, told(reply))
    return None


def _whom(block: Message) -> str:
    """The address that failed, in the end. One that forwards may stand beside it, as the original recipient (RFC 3464,
    2.3.1), or in its place: sendmail names the actual one then."""
    named = (_address(_field(block, name)) for name in WHOM)
    return next(filter(None, named), "")


def _address(field: str) -> str:
    """RFC 3464, 2.3.1 and 2.3.2: its type, a semicolon, the address."""
    return field.rpartition(";")[2].strip(" \t\r\n<>")


def _field(block: Message, name: str) -> str:
    """In UTF-8, as the international form has it; the parser would show question marks."""
    raw = next((str(value) for key, value in block.raw_items() if key.lower() == name.lower()), "")
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _reply(status: str, diagnostic: str) -> Reply:
    """As one answer: the status where it says more than its class, else what the other server said."""
    found = STATUS.search(status)
    enhanced = specific(found[0]) if found else ""
    words = " ".join(diagnostic.partition(";")[2].split()) or " ".join(diagnostic.split())
    if coded := _CODED.match(words):
        said = Reply.of(int(coded[1]), coded[2])
        rest = re.sub(rf"\b{said.code}[ -]{re.escape(said.enhanced)}\s*", "", said.text)  # of the lines that follow
        return Reply(said.code, enhanced or specific(said.enhanced), rest)
    first = (found[0] if found else "5.0.0")[0]
    return Reply({"2": 250, "4": 450}.get(first, 550), enhanced, words)


# ------------------------------------------------------------------------------------------------ complaints


def _complaint(part: Message, mail: Message) -> Report | None:
    """RFC 5965. The mail itself is sent along: its Return-Path is ours, too."""
    inside = part.get_payload()
    parsed = inside[0] if isinstance(inside, list) and inside else None
    fields = parsed if isinstance(parsed, Message) else message_from_string(text(part))
    kind = str(fields.get("Feedback-Type", "")).strip().lower()
    if kind not in COMPLAINTS:
        return None
    returns_to = fields.get("Original-Mail-From") or next(
        (found for one in mail.walk() if one is not mail and (found := one.get("Return-Path"))), None
    )
    return Report(Kind.COMPLAINT, f"complaint ({kind})", str(returns_to).strip(" <>\r\n\t") if returns_to else None)
