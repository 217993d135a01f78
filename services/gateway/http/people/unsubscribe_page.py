"""The page behind a link in a mail, in the reader's language: it runs no script and loads nothing."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal

from starlette.responses import HTMLResponse

from kit.rendering import compiled

Scene = Literal["ask", "stopped", "allowed", "unknown", "too_many", "later"]
Wish = Literal["stop", "allow"]
Language = Literal["en", "fr"]

ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")
"""The field that mail programs send (RFC 8058, 3.1); our own button sends the same."""
AGAIN: Final = ("again", "yes")

STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:17px/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center}"
    "main{max-width:32rem;padding:2rem;overflow-wrap:anywhere}"
    "h1{font-size:1.4rem;line-height:1.25;margin:0 0 .75rem}"
    "button{font:inherit;font-weight:600;padding:.6rem 1.2rem;border:0;border-radius:.4rem;"
    "color:#fff;background:#0b57d0;cursor:pointer}"
)
_HASH: Final = b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}

_PAGE: Final = compiled(Path(__file__).with_name("unsubscribe.html").read_text(encoding="utf-8"), html=True)
_OFFERS: Final[Mapping[Scene, Wish]] = {"ask": "stop", "stopped": "allow", "allowed": "stop"}
_FIELDS: Final[Mapping[Wish, tuple[str, str]]] = {"stop": ONE_CLICK, "allow": AGAIN}
_LABELS: Final[Mapping[Language, Mapping[Wish, str]]] = {
    "en": {"stop": "Unsubscribe", "allow": "Send them again"},
    "fr": {"stop": "Me désabonner", "allow": "Les recevoir de nouveau"},
}
_WORDS: Final[Mapping[Language, Mapping[Scene, tuple[str, str]]]] = {
    "en": {
        "ask": ("Stop these emails?", "You will get no more emails of the kind “{}”."),
        "stopped": ("You are unsubscribed", "No more emails of the kind “{}” will be sent to you."),
        "allowed": ("Welcome back", "Emails of the kind “{}” will be sent to you again."),
        "unknown": ("This link does not work", "A part of it is missing, or it is void by now. Open it from the email, "
                    "or answer that email."),
        "too_many": ("That is too much for one list", "You have unsubscribed from so many kinds of emails that there "
                     "is no room for “{}”. Please answer the email instead."),
        "later": ("One moment, please", "We cannot do that just now. Try again in a few seconds."),
    },
    "fr": {
        "ask": ("Ne plus recevoir ces e-mails ?", "Vous ne recevrez plus d’e-mails du type « {} »."),
        "stopped": ("C’est fait", "Aucun e-mail du type « {} » ne vous sera plus envoyé."),
        "allowed": ("C’est rétabli", "Vous recevrez de nouveau les e-mails du type « {} »."),
        "unknown": ("Ce lien ne fonctionne pas", "Il est incomplet ou n’est plus valable. Ouvrez-le depuis l’e-mail, "
                    "ou répondez à cet e-mail."),
        "too_many": ("La liste est pleine", "Trop de types d’e-mails sont déjà refusés : il n’y a plus de place pour "
                     "« {} ». Répondez plutôt à l’e-mail."),
        "later": ("Un instant", "Ce n’est pas possible pour le moment. Réessayez dans quelques secondes."),
    },
}  # fmt: skip


def page(
    scene: Scene,
    accepts: str,
    category: str = "",
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    wish: Wish | None = None,
) -> HTMLResponse:
    """The answer; `accepts` is the Accept-Language header, `wish` what the button asks for if the scene has none."""
    language = language_of(accepts)
    title, text = _WORDS[language][scene]
    offered = _OFFERS.get(scene, wish)
    field, value = _FIELDS[offered] if offered else ("", "")
    html = _PAGE(
        {
            "language": language,
            "style": STYLE,
            "title": title,
            "text": text.format(category),
            "button": _LABELS[language][offered] if offered else "",
            "field": field,
            "value": value,
        }
    )
    return HTMLResponse(html, status, {**HEADERS, "Content-Language": language, **(headers or {})})


def language_of(accepts: str) -> Language:
    """The one that the reader likes best of those there are (RFC 9110, 12.5.4); English for who names none of them."""
    liked: dict[str, float] = {}
    for one in accepts[:500].split(","):
        tag, _, weight = one.strip().lower().partition(";q=")
        name = tag.partition("-")[0]
        liked[name] = max(_weight(weight), liked.get(name, 0.0))
    return "fr" if liked.get("fr", 0.0) > liked.get("en", 0.0) else "en"


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
