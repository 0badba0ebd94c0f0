"""Renderers: one and the same request as text, as HTML and as JSON (row F7)."""

from __future__ import annotations

from .base import Display, Renderer
from .html import HtmlRenderer
from .json import JsonRenderer
from .text import TextRenderer

__all__ = ["Display", "HtmlRenderer", "JsonRenderer", "Renderer", "TextRenderer"]
