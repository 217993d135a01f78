"""What is not said follows from what is: no Kafka named means the embedded one, and so on."""

from pathlib import Path
from typing import Any, Final

from kit.settings import secrets
from kit.settings.names import name_of

Tree = dict[str, Any]

LOOPBACK: Final = ("127.", "localhost", "::1", "[::1]")
KAFKA_FILES: Final = frozenset({"ssl_ca_location", "ssl_certificate_location", "ssl_key_location"})
EMBEDDED_SESSION_TIMEOUT_MS: Final = 6_000
_FOR_LINKS: Final = {"public_url": "TOCSIN_PUBLIC_URL", "link_secret": "TOCSIN_LINK_SECRET"}


def with_what_follows(tree: Tree, root: Path) -> tuple[Tree, list[str]]:
    """The tree with the gaps filled, and warnings about what is said in vain. Values are still unchecked texts."""
    _folders(tree, root)
    _signing(tree)
    embedded = {*_kafka(tree), *_database(tree)}
    catcher, warnings = _mail(tree)
    tree["embedded"] = embedded | catcher
    _demo(tree)
    return tree, warnings + _links(tree)


def _folders(tree: Tree, root: Path) -> None:
    tree["state_dir"] = (root / str(tree.get("state_dir", ".tocsin"))).resolve()
    tree["logs_dir"] = (root / str(tree.get("logs_dir", "logs"))).resolve()
    tree["archive_dir"] = (root / str(tree.get("archive_dir", tree["state_dir"] / "archive"))).resolve()
    kafka = _branch(tree, "kafka")
    for key in KAFKA_FILES & kafka.keys():
        kafka[key] = root / str(kafka[key])


def _signing(tree: Tree) -> None:
    """The secrets this installation made for itself."""
    jwt = _branch(tree, "jwt")
    if not {"secret", "jwks_url"} & jwt.keys():
        jwt["secret"] = secrets.written(tree["state_dir"] / secrets.JWT_SECRET_FILE)
    if "link_secret" not in tree:
        tree["link_secret"] = secrets.written(tree["state_dir"] / secrets.LINK_SECRET_FILE)


def _links(tree: Tree) -> list[str]:
    """Where links in mails lead, and what keeps them out. To this machine only readers of the catcher follow one."""
    leaves_the_house = "mail" not in tree["embedded"]
    missing = [name for key, name in _FOR_LINKS.items() if not tree.get(key) and leaves_the_house]
    tree["reachable"] = "TOCSIN_PUBLIC_URL" not in missing
    address = str(tree.setdefault("public_url", f"http://127.0.0.1:{_branch(tree, 'gateway').get('port', 8000)}"))
    if missing:
        return [f"{name} is not set: mails carry no link to unsubscribe" for name in missing]
    if leaves_the_house and not address.startswith("https:"):
        return ["TOCSIN_PUBLIC_URL is no https address: mail programs offer to unsubscribe by one click only with one"]
    return []


def _kafka(tree: Tree) -> set[str]:
    kafka = _branch(tree, "kafka")
    if "bootstrap_servers" in kafka:
        return set()
    kafka["bootstrap_servers"] = f"127.0.0.1:{_branch(tree, 'ports').get('kafka', 9092)}"
    kafka.setdefault("session_timeout_ms", EMBEDDED_SESSION_TIMEOUT_MS)
    return {"kafka"}


def _database(tree: Tree) -> set[str]:
    """The embedded PostgreSQL may have had to move its socket: where it listens is written down when it starts."""
    if "database_url" in tree:
        return set()
    remembered = secrets.written(tree["state_dir"] / secrets.DATABASE_URL_FILE)
    tree["database_url"] = remembered or f"postgresql://postgres@/postgres?host={tree['state_dir']}/postgresql/run"
    return {"postgresql"}


def _mail(tree: Tree) -> tuple[set[str], list[str]]:
    smtp, email = _branch(tree, "smtp"), _branch(_branch(tree, "notifications"), "email")
    if email.get("provider") == "gmail":
        smtp.setdefault("host", "smtp.gmail.com")
    if "host" in smtp:
        _relay(smtp)
        return set(), _gmail(smtp)
    idle = sorted({"port", "username", "password", "security"} & smtp.keys())
    for key in idle:
        del smtp[key]
    smtp["port"] = _branch(tree, "ports").get("mail_smtp", 1025)
    in_vain = [f"{name_of(('smtp', key))} has no effect without SMTP_HOST: mail goes to the catcher" for key in idle]
    return (set() if email.get("providers") else {"mail"}), in_vain


def _demo(tree: Tree) -> None:
    """Tokens are given away only where nothing can leave the house, and nobody else can reach us."""
    gateway, sms = _branch(tree, "gateway"), _branch(_branch(tree, "notifications"), "sms")
    harmless = len(tree["embedded"]) == 3 and sms.get("provider", "console") == "console" and "providers" not in sms
    if harmless and str(gateway.get("host", "127.0.0.1")).startswith(LOOPBACK):
        gateway.setdefault("demo", "jwks_url" not in _branch(tree, "jwt"))


def _gmail(smtp: Tree) -> list[str]:
    if "bounce_address" in smtp and str(smtp["host"]).endswith((".gmail.com", ".googlemail.com")):
        return ["SMTP_BOUNCE_ADDRESS has no effect with Gmail, which puts return addresses of its own in their place"]
    return []


def _relay(smtp: Tree) -> None:
    """A relay is spoken to in private, except on this machine, where no one listens in between."""
    loopback = str(smtp["host"]).startswith(LOOPBACK)
    port = str(smtp.setdefault("port", 587))
    smtp.setdefault("security", "none" if loopback else "tls" if port == "465" else "starttls")
    username = str(smtp.get("username", ""))
    if "from_email" not in smtp and (not loopback or "@" in username):
        smtp["from_email"] = username if "@" in username else ""


def _branch(tree: Tree, key: str) -> Tree:
    """That branch, made if it is missing; what is no branch is left for the validation to name."""
    branch = tree.setdefault(key, {})
    return branch if isinstance(branch, dict) else {}
