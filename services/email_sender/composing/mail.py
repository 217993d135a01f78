"""A notification becomes a mail: a skeleton made once per sender, filled in microseconds, that no text can break."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final, NamedTuple

import idna

from kit.delivery.provider import Parcel
from services.email_sender.composing.parts import said
from services.email_sender.composing.words import LINE, QUOTABLE, Unsafe, encoded_words, header, is_one_line

COPY_HEADER: Final = b"Tocsin-Copy: possible\r\n"
"""An earlier hand-over of this very mail may have been taken: receivers can recognise the pair (P5.2)."""

_ADDRESS: Final = re.compile(r"[^<>,;@\s]+@[^<>,;@\s]+")
_NAMED: Final = re.compile(r"([^<>]*)<([^<>]*)>\s*")
_LINK: Final = re.compile(r"https?://[!-;=?-~]+")


class Mail(NamedTuple):
    """The envelope and the message, ready for DATA but for dot-stuffing. `utf8`: its addresses need SMTPUTF8."""

    sender: str
    recipient: str
    message: bytes
    utf8: bool


@dataclass(frozen=True, slots=True)
class Author:
    """Whom the mails come from: the address, and the header made of it once."""

    address: str
    header: bytes
    reply_to: str | None = None
    """Where answers go of mails that do not say so themselves."""

    @classmethod
    def of(cls, text: str, reply_to: str | None = None) -> "Author":
        """From "address" or "Name <address>". Raises Unsafe for what cannot be a header."""
        name, address = _name_and_address(text)
        address = _one_line("From", wire_address(address))
        shown = f"{_shown(name)} <{address}>" if name else address
        answers = _one_line("Reply-To", wire_address(reply_to)) if reply_to else None
        return cls(address, f"From: {shown}\r\n".encode(), answers)

    @property
    def domain(self) -> str:
        """What stands behind the @ in our Message-IDs."""
        return self.address.rpartition("@")[2] or "localhost"


def compose(parcel: Parcel, author: Author, now: datetime) -> Mail:
    """The mail of `parcel`. Its Message-ID is the notification's own, the same at every try (RFC 5322, 3.6.4).

    HTML that came with a request is cleaned on the way. Raises Unsafe when a text that must be one line is not, and for
    HTML that would take for ever.
    """
    content, key = parcel.content, parcel.due.id
    recipient = wire_address(parcel.to)
    answers = wire_address(content.reply_to) if content.reply_to else author.reply_to or ""
    utf8 = not (recipient.isascii() and author.address.isascii() and answers.isascii())
    parts = [
        author.header,
        f"To: {_one_line('To', recipient)}\r\n".encode(),
        header("Subject", content.subject or ""),
        f"Message-ID: <{key}@{author.domain}>\r\nDate: {_date(int(now.timestamp()))}\r\n".encode(),
        b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
        COPY_HEADER if parcel.copy_possible else b"",
        f"Reply-To: {_one_line('Reply-To', answers)}\r\n".encode() if answers else b"",
        _unsubscribe(content.unsubscribe) if content.unsubscribe else b"",
        said(content, f"=_{key.hex}"),
    ]
    return Mail(author.address, recipient, b"".join(parts), utf8)


def wire_address(address: str) -> str:
    """The address as it travels: an international domain in its ASCII form (RFC 5891: straße and strasse are two)."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address


def _name_and_address(text: str) -> tuple[str, str]:
    """As people write it: a name may hold commas without quotes around it."""
    named = _NAMED.fullmatch(text) if is_one_line(text) else None
    if named is None:
        return "", text
    name = named[1].strip()
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name, named[2]


def _shown(name: str) -> str:
    """A display name: a quoted string, or encoded where that cannot hold it (RFC 5322, 3.2.4)."""
    return f'"{name}"' if QUOTABLE.fullmatch(name) and len(name) < LINE // 2 else encoded_words(name)


def _unsubscribe(link: str) -> bytes:
    """RFC 8058, 3.1: a POST of that field to this address, and nothing else, unsubscribes. It is never folded or
    encoded: mail programs do not put it together again."""
    if not _LINK.fullmatch(link):
        raise Unsafe("List-Unsubscribe is not one address of the web")
    return f"List-Unsubscribe: <{link}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode()


def _one_line(name: str, text: str) -> str:
    if not _ADDRESS.fullmatch(text) or not text.isprintable():
        raise Unsafe(f"{name} is not one address")
    return text


@lru_cache(maxsize=64)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))
