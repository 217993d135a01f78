"""The settings that stand in the environment and in a `.env` file."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream

from kit.settings.names import FOREIGN_IN_DOTENV, NAMES, NOT_IN_THE_TREE, OUR_PREFIXES
from kit.settings.problems import distance, nearest
from kit.settings.source import Source, text_of

SLIP: Final = 2


def from_environment(environ: Mapping[str, str]) -> Source:
    """The variables we know; others that look like ours are warnings, and problems when they are a slip of a letter."""
    source = Source()
    for name, value in sorted(environ.items()):
        if name in NAMES:
            source.put_variable(name, value, f"environment variable {name}")
        elif name.startswith(OUR_PREFIXES) and not name.startswith(NOT_IN_THE_TREE):
            _judge(name, source)
    return source


def from_dotenv(file: Path, shown_as: str) -> Source:
    """The `.env` file: every name in it must be ours, for nothing else reads it but Docker compose."""
    source = Source()
    for binding in parse_stream(io.StringIO(text_of(file, shown_as, source))):
        place = f"{shown_as}, line {_line(binding)}"
        if binding.error:
            source.problems.append(f"{place}: this is not NAME=value. Mend the line or put # before it.")
        elif binding.key and binding.key in NAMES:
            source.put_variable(binding.key, binding.value or "", f"{place} ({binding.key})")
        elif binding.key and not binding.key.startswith(FOREIGN_IN_DOTENV):
            meant = nearest(binding.key, NAMES)
            hint = f", did you mean {meant}?" if meant else "; .env.notifications.example has all names."
            source.problems.append(f"{place}: unknown name {binding.key}{hint} Rename it or take it out.")
    return source


def _judge(name: str, source: Source) -> None:
    """An environment is shared with others: KAFKA_HEAP_OPTS is theirs, GATEWAY_PROT is a slip."""
    meant = nearest(name, NAMES)
    if meant and distance(name, meant) <= SLIP:
        source.problems.append(f"environment variable {name}: unknown, did you mean {meant}? Rename or unset it.")
    else:
        source.warnings.append(f"environment variable {name} is not a setting of ours and has no effect")


def _line(binding: Binding) -> int:
    """The parser counts the blank lines above to the line itself."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
