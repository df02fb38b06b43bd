"""What a figure of kind ``line`` or ``scatter`` shows, before anything is drawn."""

from __future__ import annotations

from typing import Any

from soops_builtin.steps.arguments import StepError
from soops_builtin.steps.cells import drawable, find_column, is_array, numbers
from soops_builtin.steps.groups import Groups
from soops_builtin.steps.plot.arguments import ERRORS, PlotArguments
from soops_builtin.steps.plot.curves import Curve, Source, array_curves, curves_of
from soops_builtin.steps.plot.hues import Hue
from soops_builtin.steps.plot.look import label_of
from soops_builtin.steps.plot.notes import Notes
from soops_builtin.steps.plot.scales import Scale

__all__ = ["Plan"]


class Plan:
    """The columns of a figure, and the curves of any rows.

    Parameters
    ----------
    df : pandas.DataFrame
        The table.
    asked : PlotArguments
        The arguments of the step.
    notes : Notes
        Is told what is left out.

    Attributes
    ----------
    scale : Scale or None
        The x-axis; None where each row is a curve of arrays.
    curves : list of Curve
        Those of all panels.
    how : str
        What becomes of several rows with one x.

    Raises
    ------
    StepError
        When an argument does not fit the table, or nothing is left to plot.
    """

    def __init__(self, df: Any, asked: PlotArguments, notes: Notes) -> None:
        import numpy as np

        self.df, self.asked = df, asked
        self.ys = [find_column(df, name) for name in asked.y]
        self.facets = [find_column(df, name) for name in asked.facets]
        self.hue_label = None if asked.hue is None else find_column(df, asked.hue)
        self.hue = Hue(df, self.hue_label)
        self.scale: Scale | None = None
        self.x: Any = None
        self._sources: list[Source] = []
        default = "mean" if asked.kind == "line" or asked.error else "none"
        self.how = asked.aggregate or default
        if any(_has_arrays(df, label) for label in self.ys):
            self.how = "none"
            self.curves = self._of_arrays(notes)
        else:
            self._prepare(notes)
            ids = Groups(df, self.facets).ids
            self.curves = [
                curve for panel in np.unique(ids) for curve in self.of_rows(ids == panel)
            ]
        if not self.curves:
            raise StepError("nothing is left to plot: no row has numbers for x and y")

    def of_rows(self, rows: Any) -> list[Curve]:
        """Return the curves of some rows (of shape (rows,), bool)."""
        if self.scale is None:
            return [curve for curve in self.curves if rows[curve.row]]
        return [curve for source in self._sources for curve in curves_of(source, rows)]

    def _of_arrays(self, notes: Notes) -> list[Curve]:
        asked, df = self.asked, self.df
        if asked.kind != "line":
            raise StepError(f"{asked.y[0]} holds arrays: draw it with the kind line")
        for name in ("aggregate", "error"):
            if getattr(asked, name) not in (None, "none"):
                raise StepError(f"{name} is of no use: {asked.y[0]} holds arrays, a curve a row")
        if asked.x[0] != "index" or "index" in df.columns:
            self.x = find_column(df, asked.x[0])
            if not _has_arrays(df, self.x):
                raise StepError(
                    f"{asked.y[0]} holds arrays and {asked.x[0]} does not: "
                    'x is a column of arrays or "index"'
                )
        found: list[Curve] = []
        for which, y in enumerate(self.ys):
            log = (asked.logx, asked.logy)
            found += array_curves(df, self.x, y, self.hue.codes, which, log, notes.leave_out)
        return found

    def _prepare(self, notes: Notes) -> None:
        import numpy as np

        asked, df = self.asked, self.df
        self.x = find_column(df, asked.x[0])
        self.scale = Scale(df, self.x, asked.logx)
        missing = int(np.isnan(self.scale.places).sum())
        notes.leave_out(missing, f"no number{_above(asked.logx)} in {str(self.x)!r}")
        spread = asked.error if asked.error in ERRORS else None
        column = find_column(df, asked.error, "error") if asked.error and not spread else None
        for which, label in enumerate(self.ys):
            values = drawable(numbers(df, label))
            if not np.isfinite(values).any():
                raise StepError(f"there is no number in the column {str(label)!r}")
            bad = ~np.isfinite(values)
            if asked.logy and self.how == "none":
                bad |= ~(values > 0)
            why = _above(asked.logy and self.how == "none")
            notes.leave_out(int(bad.sum()), f"no number{why} in {str(label)!r}")
            self._sources.append(
                Source(
                    x=self.scale.places,
                    y=values,
                    error=None if column is None else numbers(df, column),
                    codes=self.hue.codes,
                    how=self.how,
                    spread=spread,
                    which=which,
                    log=asked.logy,
                )
            )

    # --- words ----------------------------------------------------------------------------

    def x_text(self) -> str:
        """Return the label of the x-axis."""
        if self.asked.xlabel is not None:
            return self.asked.xlabel
        return "index" if self.x is None else label_of(self.df, self.x)

    def y_text(self) -> str:
        """Return the label of the y-axis: the column, its unit, and what became of several rows."""
        if self.asked.ylabel is not None:
            return self.asked.ylabel
        if len(self.ys) == 1:
            text = label_of(self.df, self.ys[0])
        else:
            units = self.df.attrs.get("units") or {}
            same = {units.get(label) for label in self.ys}
            text = f"[{same.pop()}]" if len(same) == 1 and None not in same else ""
        words = [self.how] if any(curve.merged for curve in self.curves) else []
        if self.asked.error and any(curve.spread is not None for curve in self.curves):
            words = [*words, "±", self.asked.error]
        comma = "," if text and words and words[0] != "±" else ""
        return " ".join(filter(None, [text + comma, *words]))


def _has_arrays(df: Any, label: Any) -> bool:
    return df[label].dtype.kind == "O" and any(map(is_array, df[label].tolist()))


def _above(log: bool) -> str:
    return " above 0" if log else ""
