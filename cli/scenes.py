"""Several timelines told side by side: blocks that grow on a terminal, lines as they come in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli.timeline import Story, console, heading, line, verdict
from client.shapes import Notification


@dataclass(slots=True)
class Scene:
    """One notification: what is asked for, and what is known of it."""

    name: str
    body: Mapping[str, Any]
    seen: Notification | None = None
    refused: str | None = None

    @property
    def is_over(self) -> bool:
        return self.refused is not None or (self.seen is not None and self.seen.has_ended)


Show = Callable[[Sequence[Scene]], None]


@contextmanager
def stage(*, quiet: bool) -> Iterator[Show]:
    """What shows scenes here; it is told of all of them again and again. `quiet` shows nothing."""
    to = console()
    if quiet:
        yield lambda scenes: None
    elif to.is_terminal:
        screen = _Screen(to)
        with screen.live:
            yield screen
        screen.leave()
    else:
        yield _Lines(to)


class _Screen:
    """Blocks that grow in place."""

    def __init__(self, to: Console) -> None:
        self._to = to
        self._last: Sequence[Scene] = ()
        self.live = Live(console=to, refresh_per_second=10, transient=True)

    def __call__(self, scenes: Sequence[Scene]) -> None:
        self._last = scenes
        self.live.update(_blocks(scenes))

    def leave(self) -> None:
        """What stays is not cut at the edge of the terminal, so that ids can be copied."""
        for text in (text for scene in self._last for text in _block(scene)):
            self._to.print(text)


class _Lines:
    """Each thing once, with the name of its scene in front."""

    def __init__(self, to: Console) -> None:
        self._to = to
        self._stories: dict[str, Story] = {}
        self._over: set[str] = set()

    def __call__(self, scenes: Sequence[Scene]) -> None:
        for scene in scenes:
            if scene.name not in self._stories:
                self._stories[scene.name] = Story(self._to, name=scene.name)
                self._to.print(_title(scene))
            if scene.seen is not None:
                self._stories[scene.name].tell(scene.seen)
            if scene.is_over and scene.name not in self._over:
                self._over.add(scene.name)
                self._to.print(Text.assemble((f"{scene.name:<10}", "bold"), _end(scene)))


def _blocks(scenes: Sequence[Scene]) -> Group:
    return Group(*(text for scene in scenes for text in _block(scene)))


def _block(scene: Scene) -> Iterator[Text]:
    yield _title(scene)
    if scene.seen is not None:
        yield from (line(scene.seen, told) for told in scene.seen.timeline)
    yield _end(scene)
    yield Text()


def _title(scene: Scene) -> Text:
    return heading(scene.seen, f"{scene.name:<9}") if scene.seen is not None else Text(scene.name, style="bold")


def _end(scene: Scene) -> Text:
    if scene.refused is not None:
        return Text.assemble("  = ", ("refused", "red"), f" ({scene.refused})")
    if scene.seen is None:
        return Text()
    if not scene.seen.has_ended:
        return Text(f"  ... {scene.seen.status}", style="dim")
    return Text.assemble("  ", verdict(scene.seen))
