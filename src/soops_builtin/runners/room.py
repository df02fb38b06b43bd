"""The room on this machine: which of its parts the jobs under way hold, and what is left."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace

from soops.api import Job, RunnerError, Slot, near_misses
from soops_builtin.runners import machine
from soops_builtin.runners.local_options import LocalOptions

__all__ = ["Room"]

#: What libraries read that would otherwise take all CPUs.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
DEVICES = "CUDA_VISIBLE_DEVICES"
#: Sums of fractions are off by less.
ROUNDING = 1 + 1e-9


class Room:
    """Counts what jobs hold. Only what a job names is counted.

    Parameters
    ----------
    options : LocalOptions
        What they say goes before what the machine has.
    say : callable
        Shows a line to the person who watches.

    Attributes
    ----------
    short : bool
        Whether a job waits for memory that something else uses.
    """

    def __init__(self, options: LocalOptions, say: Callable[[str], None]) -> None:
        self._say = say
        names = machine.gpus()
        if options.gpus is not None and options.gpus != len(names):
            enough = options.gpus < len(names)
            names = names[: options.gpus] if enough else tuple(map(str, range(options.gpus)))
        self._gpus = names
        total = machine.memory() if options.memory is None else options.memory
        self._totals: dict[str, float] = {
            "cpus": machine.cpus() if options.cpus is None else options.cpus,
            "gpus": float(len(names)),
            "memory": math.inf if total is None else total,
            **options.offered(),
        }
        self._held: dict[str, tuple[Job, tuple[str, ...]]] = {}
        #: The GPUs that a slot had last: what it has preloaded was told of these.
        self._last: weakref.WeakKeyDictionary[Slot, tuple[str, ...]] = weakref.WeakKeyDictionary()
        self._told = False
        self.short = False

    def refusal(self, needs: Mapping[str, float]) -> RunnerError | None:
        """Return the error of a job that can never have what it needs."""
        for name, amount in needs.items():
            if name not in self._totals:
                hint = (
                    near_misses(name.lower(), self._totals) or f"known: {', '.join(self._totals)}"
                )
                return RunnerError(
                    f"a run needs {name}={amount:g}, but this machine has no {name!r}",
                    hint=f"{hint}; or give --runner-opt offers={name}=AMOUNT",
                )
            if amount > self._totals[name] * ROUNDING:
                option = name if name in ("cpus", "gpus", "memory") else f"offers={name}"
                return RunnerError(
                    f"a run needs {name}={amount:g}, but there are {self._totals[name]:g} in all",
                    hint=f"ask for less with --resources, or say --runner-opt {option}=AMOUNT",
                )
        if needs.get("gpus", 0) % 1:
            return RunnerError(
                f"a run needs gpus={needs['gpus']:g}, but on this machine a GPU has one run",
                hint="give a whole number",
            )
        return None

    def fits(self, needs: Mapping[str, float], alone: bool) -> bool:
        """Return whether a job may begin now; ``alone`` when nothing else is under way."""
        self.short = False
        for name, amount in needs.items():
            held = math.fsum(job.resources.get(name, 0.0) for job, _ in self._held.values())
            if held + amount > self._totals[name] * ROUNDING:
                return False
        asked = needs.get("memory", 0.0)
        free = machine.free_memory() if asked and not alone else None
        if free is not None and free < asked:
            self.short = True
            if not self._told:
                self._told = True
                self._say(f"runs wait for memory: {asked:g} bytes asked for, {free:g} free")
        return not self.short

    def suits(self, slot: Slot, job: Job) -> bool:
        """Return whether a slot can have the GPUs again that it had."""
        last = self._last.get(slot)
        return last is not None and self._can_have(last, job)

    def take(self, token: str, job: Job, slot: Slot) -> Job:
        """Note that a job begins in a slot; return it with its share in its environment."""
        devices: tuple[str, ...] = ()
        if "gpus" in job.resources:
            last = self._last.get(slot)
            if last is not None and self._can_have(last, job):
                devices = last
            else:
                devices = self._free_gpus()[: round(job.resources["gpus"])]
            self._last[slot] = devices
        self._held[token] = job, devices
        return replace(job, env={**_share(job.resources, devices), **job.env})

    def leave(self, token: str) -> Job | None:
        """Note that a job is over, or did not begin; return it as it was before :meth:`take`."""
        held = self._held.pop(token, None)
        return held[0] if held is not None else None

    def _free_gpus(self) -> tuple[str, ...]:
        taken = {name for _, devices in self._held.values() for name in devices}
        return tuple(name for name in self._gpus if name not in taken)

    def _can_have(self, devices: tuple[str, ...], job: Job) -> bool:
        fits = len(devices) == round(job.resources.get("gpus", 0.0))
        return fits and set(devices) <= set(self._free_gpus())


def _share(needs: Mapping[str, float], devices: tuple[str, ...]) -> dict[str, str]:
    """Return what tells a program its share; what the driver's environment says stays."""
    share = {}
    if "cpus" in needs:
        count = str(max(1, math.floor(needs["cpus"])))
        share = {name: count for name in THREADS if name not in os.environ}
    if "gpus" in needs:
        share[DEVICES] = ",".join(devices)
    return share
