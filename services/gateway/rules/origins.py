"""Whose pages may open a stream: ours, and those on the list."""

from collections.abc import Collection
from urllib.parse import urlsplit


def may_open(origin: str | None, host: str, public_url: str, allowed: Collection[str]) -> bool:
    """Whether a page of this origin may (RFC 6454; browsers always say it). Who is no browser says none, and may:
    it is the ticket that tells who he is."""
    if origin is None:
        return True
    own = {f"http://{host.lower()}", f"https://{host.lower()}"} if host else set()
    return origin.lower() in own | {origin_of(url) for url in (public_url, *allowed)}


def origin_of(url: str) -> str:
    """Scheme, host and port, as a browser writes them: a port that goes without saying is not said."""
    parts = urlsplit(url.lower())
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual) if usual else parts.netloc}"
