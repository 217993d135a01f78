"""Write the dashboards, or with `--check` say which are not as they are written."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.grafana.boards import BOARDS

FOLDER: Final = Path(__file__).parent / "dashboards"


def written() -> Iterator[tuple[Path, str]]:
    """Each file with its text."""
    for board in BOARDS:
        yield FOLDER / f"{board.uid}.json", json.dumps(board.json(), indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """The exit code: 1 where a check has found something."""
    if "--check" not in arguments:
        for file, text in written():
            file.write_text(text, encoding="utf-8")
        return 0
    expected = dict(written())
    wrong = [file for file, text in expected.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    wrong += sorted(set(FOLDER.glob("*.json")) - expected.keys())
    for file in wrong:
        print(f"{file.name} is not as it is written: run `python -m deploy.grafana`", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
