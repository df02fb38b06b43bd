"""The options of the runners of this machine."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["LocalOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """``--runner-opt`` of the local runner: what it may give to runs that name resources.

    Attributes
    ----------
    cpus : float, optional
        Otherwise those that this process may use.
    gpus : int, optional
        Otherwise those of ``CUDA_VISIBLE_DEVICES``, or of the driver of NVIDIA.
    memory : float, optional
        Bytes; otherwise that of the machine, or of its control group.
    offers : tuple of str
        Further amounts, ``NAME=AMOUNT``: licences, for instance.
    """

    cpus: float | None = None
    gpus: int | None = None
    memory: float | None = None
    offers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("cpus", "gpus", "memory"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name}={value} is no amount")
        self.offered()

    def offered(self) -> dict[str, float]:
        """Return the further amounts by name."""
        found: dict[str, float] = {}
        for text in self.offers:
            name, _, amount = text.partition("=")
            try:
                value = float(amount)
            except ValueError:
                value = math.nan
            if not name or name in ("cpus", "gpus", "memory") or not 0 < value < math.inf:
                raise ValueError(f"offers={text!r} is not NAME=AMOUNT")
            found[name] = value
        return found
