"""The settings that stand in the YAML file, each with its line."""

from pathlib import Path
from typing import Any

import yaml

from kit.settings.names import NAMES
from kit.settings.source import Location, Source, graft, text_of

NULL = "tag:yaml.org,2002:null"


def from_yaml(file: Path, shown_as: str) -> Source:
    """The tree below its keys; names of the environment at its top go to their places."""
    source = Source()
    try:
        loader = yaml.SafeLoader(text_of(file, shown_as, source))
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        source.problems.append(_not_yaml(error, shown_as))
        return source
    if isinstance(root, yaml.MappingNode):
        reader = _Reader(source, loader, shown_as)
        _sort_in(reader.branch(root, ()), source)
    elif root is not None:
        source.problems.append(f"{shown_as}: expected `notifications:` with settings below it. Begin with that line.")
    return source


class _Reader:
    """Walks the nodes, because only they know their lines.

    Scalars stay as written, so that `24:00` and `+33612345678` are not taken for numbers: what a text means is for the
    setting to say.
    """

    def __init__(self, source: Source, loader: yaml.SafeLoader, file: str) -> None:
        self.source = source
        self.loader = loader
        self.file = file

    def branch(self, node: yaml.MappingNode, place: Location) -> dict[str, Any]:
        self._find_doubles(node, place)
        self.loader.flatten_mapping(node)
        tree: dict[str, Any] = {}
        for key_node, value_node in node.value:
            inside = (*place, str(key_node.value))
            value = self._value(value_node, inside)
            self.source.origins[inside] = self._origin(key_node, inside)
            if value is not None:
                tree[str(key_node.value)] = value
        return tree

    def _value(self, node: yaml.Node, place: Location) -> Any:
        self.source.origins[place] = self._origin(node, place)
        if isinstance(node, yaml.MappingNode):
            return self.branch(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, number)) for number, item in enumerate(node.value)]
        return None if node.tag == NULL else node.value

    def _find_doubles(self, node: yaml.MappingNode, place: Location) -> None:
        """YAML lets the last one win, silently."""
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in lines:
                where = self._origin(key_node, (*place, key))
                self.source.problems.append(f"{where}: {key} is there already in line {lines[key]}. Keep one of them.")
            lines[key] = key_node.start_mark.line + 1

    def _origin(self, node: yaml.Node, place: Location) -> str:
        return f"{self.file}, line {node.start_mark.line + 1} ({'.'.join(map(str, place))})"


def _sort_in(tree: dict[str, Any], source: Source) -> None:
    for name in [key for key in tree if key in NAMES]:
        source.put_variable(name, tree.pop(name), source.origins.pop((name,)))
    _lower_cleanup(tree, source)
    named, source.tree = source.tree, tree
    graft(source.tree, named)


def _lower_cleanup(tree: dict[str, Any], source: Source) -> None:
    """The seed keeps `cleanup` at the top; it lives below `notifications`, and may not be in both."""
    notifications = tree.setdefault("notifications", {})
    if "cleanup" not in tree or not isinstance(notifications, dict):
        return
    if "cleanup" in notifications:
        source.problems.append(f"{source.origins[('cleanup',)]}: it is also below notifications. Keep one of them.")
    notifications["cleanup"] = tree.pop("cleanup")
    for place in [place for place in source.origins if place[0] == "cleanup"]:
        source.origins[("notifications", *place)] = source.origins.pop(place)


def _not_yaml(error: yaml.YAMLError, shown_as: str) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"{shown_as}, line {mark.line + 1}" if mark else shown_as
    what = getattr(error, "problem", None) or getattr(error, "reason", "")
    return f"{where}: this is not YAML: {what}. Mend the line (look at its indentation)."
