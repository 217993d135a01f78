"""What an installation says, and what is said to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from kit.settings import Settings, SettingsError, load

ROOT = Path(__file__).parents[3]
SECRET = "s3cret" * 8


def installed(root: Path, *, config: str = "", dotenv: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of an installation with these files and this environment."""
    (root / "config").mkdir(exist_ok=True)
    (root / "config/notifications.yml").write_text(config, encoding="utf-8")
    (root / ".env").write_text(dotenv, encoding="utf-8")
    return load(root, environ or {})


def problems(root: Path, **given: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        installed(root, **given)
    return caught.value.problems


def at(settings: BaseModel, path: str) -> Any:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value
