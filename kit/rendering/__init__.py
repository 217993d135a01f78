"""A template and data make a text, always the same one; what goes wrong is said by name.

Pure, so that the gateway previews exactly what intake will send.
"""

from kit.rendering.limits import STEPS, TEXT_CHARACTERS, Unrenderable
from kit.rendering.sources import compiled
from kit.rendering.templates import Rendered, Template, Texts, render

__all__ = ["STEPS", "TEXT_CHARACTERS", "Rendered", "Template", "Texts", "Unrenderable", "compiled", "render"]
