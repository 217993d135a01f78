"""Reports that people are to read: qmail's own form (cr.yp.to/proto/qsbmf.txt), and the text of older exims, which name
whom they failed in `X-Failed-Recipients`."""

import re
from email.message import Message
from typing import Final

from services.email_sender.rules.replies import Reply
from services.email_sender.rules.report import STATUS, Report, failed, mildest, specific

SHOWN: Final = 20_000
"""Characters of a text in which a code is looked for."""

_CODED: Final = re.compile(r"(?<![\d.])([245]\d\d)[ -](.*)", re.DOTALL)
_QMAIL: Final = re.compile(r"\s*Hi\. This is the\b")
_QMAIL_BREAK: Final = "--- "
_EXIM_BREAK: Final = re.compile(r"\r?\n-{4,}")


def in_plain_words(mail: Message) -> Report | None:
    """What such a mail reports; None where it is none."""
    said = text(mail)
    if _QMAIL.match(said):
        return mildest(_cited(one, one.lstrip()[1:].partition(">:")[0]) for one in _paragraphs(said))
    failed_ones = mail.get("X-Failed-Recipients")
    return _cited(_EXIM_BREAK.split(said)[0], *_listed(str(failed_ones))) if failed_ones is not None else None


def text(part: Message) -> str:
    """The readable text of a part, its beginning."""
    leaf = next((one for one in part.walk() if one.get_content_maintype() == "text"), part)
    return content(leaf)[:SHOWN]


def content(part: Message) -> str:
    """All of it; nothing of what has parts."""
    octets = part.get_payload(decode=True)
    return octets.decode("utf-8", "replace") if isinstance(octets, bytes) else ""


def _paragraphs(said: str) -> list[str]:
    """Of qmail: one for each recipient, which begins with his address and a colon."""
    paragraphs = re.split(r"\r?\n\r?\n", said.partition(_QMAIL_BREAK)[0])[1:]
    return [one for one in paragraphs if one.lstrip().startswith("<") and ">:" in one]


def _listed(addresses: str) -> list[str]:
    return [one.strip(" \t\r\n<>") for one in addresses.split(",")]


def _cited(said: str, *about: str) -> Report:
    """What the other server said is cited, with its code."""
    words = " ".join(said.split())
    coded, status = _CODED.search(words), STATUS.search(words)
    reply = Reply.of(int(coded[1]), coded[2]) if coded else Reply(550, "", words)
    enhanced = reply.enhanced or (status[0] if status else "")
    return failed(Reply(reply.code, specific(enhanced), reply.text), *about)
