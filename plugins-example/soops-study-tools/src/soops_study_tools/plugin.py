"""What this plugin gives: three specs. Nothing of what they name is imported here."""

from __future__ import annotations

from collections.abc import Sequence

from soops.api import CommandSpec, DirectiveSpec, StepSpec, hookimpl


@hookimpl
def soops_directives() -> Sequence[DirectiveSpec]:
    """Give ``@chebyshev(n, a, b)``."""
    return [
        DirectiveSpec(
            name="chebyshev",
            target="soops_study_tools.nodes:chebyshev",
            summary="n Chebyshev nodes between a and b",
        )
    ]


@hookimpl
def soops_steps() -> Sequence[StepSpec]:
    """Give ``group_table``."""
    return [
        StepSpec(
            name="group_table",
            target="soops_study_tools.tables:group_table",
            summary="means (or medians, ...) by groups of parameters, as a Markdown table",
        )
    ]


@hookimpl
def soops_commands() -> Sequence[CommandSpec]:
    """Give ``soops tree``."""
    return [
        CommandSpec(
            name="tree",
            target="soops_study_tools.tree:tree",
            summary="show the runs of a study as a tree of parameter values",
        )
    ]
