"""Text as mail headers and bodies carry it: RFC 2047 words, quoted-printable, base64, never a line too long."""

import re
from base64 import b64encode
from binascii import b2a_base64, b2a_qp
from typing import Final

_PLAIN: Final = re.compile(r"[ -~]*")
_BREAKS: Final = re.compile(r"\r\n|\r|\n")
_MOSTLY_READABLE: Final = bytes(range(127))
_UNSAFE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")

QUOTABLE: Final = re.compile(r"[ !#-\[\]-~]+")
"""What a quoted string holds without an escape (RFC 5322, 3.2.4)."""
WORD_BYTES: Final = 45
"""45 bytes make 60 base64 characters: an encoded word of at most 75 (RFC 2047, 2)."""
LINE: Final = 76
NARROW: Final = 900
"""Characters of a line up to which it travels as it is: no server has to take more than 998 (RFC 5321, 4.5.3.1.6)."""


class Unsafe(ValueError):
    """The text would end or break its header line."""


def is_one_line(text: str) -> bool:
    """Nothing in it ends or breaks a line."""
    return not _UNSAFE.search(text)


def header(name: str, value: str) -> bytes:
    """One header with its line end; folded where it is long. Raises Unsafe for a text with line breaks or controls."""
    if not is_one_line(value):
        raise Unsafe(f"{name} holds a line break or control character")
    if _PLAIN.fullmatch(value) and len(name) + 2 + len(value) <= LINE and "=?" not in value:
        return f"{name}: {value}\r\n".encode()
    return f"{name}: {encoded_words(value)}\r\n".encode()


def encoded_words(text: str) -> str:
    """The text as RFC 2047 words, folded one a line; no character is cut in two."""
    words, chunk = [], b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words)


def body(text: str) -> tuple[bytes, bytes]:
    """(Content-Transfer-Encoding, the encoded lines, CRLF throughout, ending with one).

    A text with "=_" in it is encoded, so that no text can hold one of our boundaries, which all begin so.
    """
    lines = _BREAKS.sub("\n", text) if "\r" in text else text
    if lines.isascii() and "\x00" not in lines and "=_" not in lines and _is_narrow(lines):
        plain = lines.replace("\n", "\r\n").encode()
        return b"7bit", plain if plain.endswith(b"\r\n") else plain + b"\r\n"
    octets = lines.encode("utf-8", "replace")
    if len(octets.translate(None, _MOSTLY_READABLE)) * 3 > len(octets):
        return b"base64", base64_lines(octets.replace(b"\n", b"\r\n"))
    quoted = b2a_qp(octets, quotetabs=False, istext=True).replace(b"\n", b"\r\n")
    return b"quoted-printable", quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n"


def _is_narrow(lines: str) -> bool:
    return len(lines) <= NARROW or max(map(len, lines.split("\n"))) <= NARROW


def base64_lines(octets: bytes) -> bytes:
    """Base64 in lines of 76 characters (RFC 2045, 6.8)."""
    step = LINE // 4 * 3
    return b"".join(b2a_base64(octets[n : n + step]).rstrip() + b"\r\n" for n in range(0, len(octets), step))
