"""One mail, and one try to send one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser

COPY_HEADER = "Tocsin-Copy"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it was taken; `id` counts up from 1."""

    id: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    copy: str | None
    source: bytes

    def parsed(self) -> EmailMessage:
        """The mail as Python's own parser sees it."""
        return message_from_bytes(self.source, policy=policy.default)

    @property
    def text(self) -> str:
        """The plain text part, or nothing."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML part, or nothing."""
        return self._body("html")

    def _body(self, kind: str) -> str:
        part = self.parsed().get_body((kind,))
        if part is None:
            return ""
        payload = content_of(part)
        try:
            text = payload.decode(part.get_content_charset("utf-8"), "replace")
        except LookupError:  # a character set nobody knows
            text = payload.decode("utf-8", "replace")
        return text.replace("\r\n", "\n")


def files_of(mail: Mail) -> list[Message]:
    """Its attachments; a mail of one part has none."""
    parsed = mail.parsed()
    return list(parsed.iter_attachments()) if parsed.is_multipart() else []


def content_of(part: Message) -> bytes:
    """What a part holds, decoded."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


@dataclass(frozen=True, slots=True)
class Try:
    """One recipient of one transaction, and what the server answered: `""` when it did not."""

    at: datetime
    recipient: str
    step: str
    answer: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers by which mails are found."""

    subject: str
    message_id: str
    copy: str | None


def headers(source: bytes) -> Headers:
    """Reads them from a mail, whatever is wrong with it."""
    parsed: Message = BytesHeaderParser(policy=policy.compat32).parsebytes(source)
    own_id, copy = parsed["Message-ID"], parsed[COPY_HEADER]
    return Headers(
        subject=_decoded(parsed["Subject"]),
        message_id="" if own_id is None else "".join(str(own_id).split()),
        copy=None if copy is None else str(copy).strip(),
    )


def _decoded(header: object) -> str:
    if header is None:
        return ""
    text = "".join(str(header).splitlines())
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, UnicodeError, ValueError):
        return text
