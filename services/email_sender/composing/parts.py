"""What a mail says, as MIME: a text, its HTML, an invitation, and files beside them."""

import re
from base64 import b64decode
from typing import Final

from contracts.events import Content
from contracts.request import Attachment
from services.email_sender.composing.cleaning import safe
from services.email_sender.composing.words import LINE, QUOTABLE, Unsafe, base64_lines, body, is_one_line

_TYPE: Final = re.compile(r"[ -~]+")


def said(content: Content, boundary: str) -> bytes:
    """All that comes after a mail's own headers. Raises Unsafe for a file's name or type that is not one line, and for
    HTML that would take for ever to clean."""
    inner = _readable(content, boundary)
    if not content.attachments:
        return inner
    files = [_part(boundary + "m", _file(file)) for file in content.attachments]
    return _multipart("mixed", boundary + "m", [_part(boundary + "m", inner), *files])


def _readable(content: Content, boundary: str) -> bytes:
    """Plain text, HTML and an invitation beside it where there is one; the last part is the one preferred (RFC 2046,
    5.1.4)."""
    text, html = safe(content)
    versions = [_text("plain", text)] if text is not None or html is None else []
    if html is not None:
        versions.append(_text("html", html))
    versions += [_invitation(file) for file in (content.attachments or ()) if _invites(file)][:1]
    if len(versions) == 1 and html is None:
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
    if QUOTABLE.fullmatch(name) and len(name) < LINE - 20:
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
