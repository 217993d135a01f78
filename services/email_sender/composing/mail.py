"""A notification becomes a mail: a skeleton made once per sender, filled in microseconds, that no text can break."""

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final, NamedTuple

import idna

from contracts.events import Content
from contracts.request import Attachment
from kit.delivery.provider import Parcel
from services.email_sender.composing.words import (
    LINE,
    Unsafe,
    base64_lines,
    body,
    encoded_words,
    header,
    is_one_line,
)

COPY_HEADER: Final = b"Tocsin-Copy: possible\r\n"
"""An earlier hand-over of this very mail may have been taken: receivers can recognise the pair (P5.2)."""

_ADDRESS: Final = re.compile(r"[^<>,;@\s]+@[^<>,;@\s]+")
_NAMED: Final = re.compile(r"([^<>]*)<([^<>]*)>\s*")
_LINK: Final = re.compile(r"https?://[!-;=?-~]+")
_TYPE: Final = re.compile(r"[ -~]+")
_QUOTABLE: Final = re.compile(r"[ !#-\[\]-~]+")


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

    Raises Unsafe when a text that must be one line is not.
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
        _content(content, f"=_{key.hex}"),
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
    return f'"{name}"' if _QUOTABLE.fullmatch(name) and len(name) < LINE // 2 else encoded_words(name)


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


def _content(content: Content, boundary: str) -> bytes:
    inner = _readable(content, boundary)
    if not content.attachments:
        return inner
    files = [_part(boundary + "m", _file(file)) for file in content.attachments]
    return _multipart("mixed", boundary + "m", [_part(boundary + "m", inner), *files])


def _readable(content: Content, boundary: str) -> bytes:
    """Plain text, HTML and an invitation beside it where there is one; the last part is the one preferred (RFC 2046,
    5.1.4)."""
    versions = [_text("plain", content.text)] if content.text is not None or content.html is None else []
    if content.html is not None:
        versions.append(_text("html", content.html))
    versions += [_invitation(file) for file in (content.attachments or ()) if _invites(file)][:1]
    if len(versions) == 1 and content.html is None:
        return versions[0]
    return _multipart("alternative", boundary, [_part(boundary, version) for version in versions])


def _invites(file: Attachment) -> bool:
    kind = file.content_type.lower()
    return kind.startswith("text/calendar") and "method=" in kind


def _invitation(file: Attachment) -> bytes:
    """A calendar file with a method, once more as what the mail says: so do mail programs know an invitation, and offer
    to accept it (RFC 6047, 2.4)."""
    kind = _media_type(file)
    charset = "" if "charset=" in kind.lower() else '; charset="utf-8"'
    head = f"Content-Type: {kind}{charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    return head + _rewrapped(file.content)


def _text(subtype: str, text: str | None) -> bytes:
    encoding, lines = body(text or "")
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: '.encode()
    return b"".join((head, encoding, b"\r\n\r\n", lines))


def _file(file: Attachment) -> bytes:
    name = _parameter(file.name)
    return b"".join(
        (
            f"Content-Type: {_media_type(file)}; {_named('name', name)}\r\n".encode(),
            f"Content-Disposition: attachment; {_named('filename', name)}\r\n".encode(),
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            _rewrapped(file.content),
        )
    )


def _media_type(file: Attachment) -> str:
    if not _TYPE.fullmatch(file.content_type):
        raise Unsafe("an attachment's content type is not one line of ASCII")
    return file.content_type


def _parameter(name: str) -> str:
    if not is_one_line(name):
        raise Unsafe("an attachment's name is not one line of text")
    return name


def _named(parameter: str, name: str) -> str:
    """A quoted string, or RFC 2231 where the name is long or not ASCII."""
    if _QUOTABLE.fullmatch(name) and len(name) < LINE - 20:
        return f'\r\n {parameter}="{name}"'
    octets = name.encode("utf-8", "replace")
    escaped = [chr(o) if o < 128 and chr(o).isalnum() else f"%{o:02X}" for o in octets]
    pieces = ["".join(escaped[n : n + 16]) for n in range(0, len(escaped), 16)]
    first, *rest = pieces
    if not rest:
        return f"\r\n {parameter}*=utf-8''{first}"
    joined = [f"\r\n {parameter}*0*=utf-8''{first}", *(f"\r\n {parameter}*{n}*={p}" for n, p in enumerate(rest, 1))]
    return ";".join(joined)


def _rewrapped(content: str) -> bytes:
    return base64_lines(b64decode(content))


def _part(boundary: str, inner: bytes) -> bytes:
    return b"".join((b"--", boundary.encode(), b"\r\n", inner))


def _multipart(subtype: str, boundary: str, parts: list[bytes]) -> bytes:
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return b"".join((head, *parts, b"--", boundary.encode(), b"--\r\n"))
