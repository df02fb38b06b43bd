"""The step that shows all figures: the function that scripts import, under its name."""

from soops.plugins import show_figures

__all__ = ["show_figures"]
