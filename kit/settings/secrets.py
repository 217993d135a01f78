"""The secrets an installation makes for itself, and where its embedded database listens."""

import os
import secrets
from pathlib import Path
from typing import Final

JWT_SECRET_FILE: Final = "jwt_secret"
LINK_SECRET_FILE: Final = "link_secret"
DATABASE_URL_FILE: Final = "database.url"


def ensure_secrets(state_dir: Path) -> None:
    """Make the signing secrets of this installation unless they are there: files only the owner reads."""
    state_dir.mkdir(parents=True, exist_ok=True)
    for name in (JWT_SECRET_FILE, LINK_SECRET_FILE):
        if not (state_dir / name).exists():
            _write(state_dir / name, secrets.token_urlsafe(48), replace=False)


def remember_database_url(state_dir: Path, url: str) -> None:
    """Write down the owner's URL of the embedded PostgreSQL, for all who start after it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    _write(state_dir / DATABASE_URL_FILE, url, replace=True)


def written(file: Path) -> str | None:
    """What such a file holds, or None."""
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def _write(file: Path, text: str, *, replace: bool) -> None:
    """All or nothing: whoever reads at the same moment sees a whole value, and of two writers one wins."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
        new.write(text + "\n")
    try:
        if replace:
            os.replace(draft, file)
        else:
            os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
