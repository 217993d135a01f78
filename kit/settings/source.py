"""What one place says about the settings: texts in a tree, and where each was written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.settings.names import NAMES, Place

Location = tuple[str | int, ...]


@dataclass
class Source:
    """A tree of texts, where each leaf stands, and what is wrong or odd about it."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Location, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def put(self, place: Place, value: Any, origin: str) -> None:
        """Set one leaf, making the branches above it."""
        branch = self.tree
        for key in place[:-1]:
            branch = branch.setdefault(key, {})
        branch[place[-1]] = value
        self.origins[place] = origin

    def put_variable(self, name: str, value: Any, origin: str) -> None:
        """Set the place a known name stands for. Empty is none: templates write `SMTP_HOST=` and mean nothing by it."""
        if isinstance(value, str) and name.endswith("_PORT") and value.startswith("tcp://"):
            self.warnings.append(f"{origin} is the address Kubernetes gives a service named so, and has no effect")
        elif value != "":
            self.put(NAMES[name], value, origin)

    def overlay(self, over: "Source") -> None:
        """Let another source have the last word, leaf by leaf."""
        graft(self.tree, over.tree)
        self.origins |= over.origins
        self.problems += over.problems
        self.warnings += over.warnings


def graft(under: dict[str, Any], over: dict[str, Any]) -> None:
    """Put one tree over another. A leaf where a branch belongs stays, so that the validation can name it."""
    for key, value in over.items():
        if isinstance(value, dict) and key in under:
            if isinstance(under[key], dict):
                graft(under[key], value)
        else:
            under[key] = value


def text_of(file: Path, shown_as: str, source: Source) -> str:
    """What the file says; nothing when it is not there."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        source.problems.append(f"{shown_as}: cannot be read: {error}. Make it a text file in UTF-8 that we may read.")
        return ""
