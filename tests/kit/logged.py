"""What a log holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
