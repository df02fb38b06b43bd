"""What a person may ask of a pass over a study, and what user functions see of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from types import SimpleNamespace
from typing import Any

from soops.kernel.errors import UsageError, near_misses
from soops.kernel.runs.resources import resources_of
from soops.kernel.runs.retry import check_words
from soops.kernel.values import Source, State
from soops.kernel.values.frozen import dataclass

__all__ = ["RunOptions"]

#: Options that mean something to one runner only.
_OF_RUNNER = ("runner_options", "cluster_kwargs")
#: What ``rerun`` takes besides the states of ended runs.
RERUN_WORDS = ("all", "unfinished")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of ``soops-run`` and of ``soops.run``.

    Attributes
    ----------
    section : str, optional
        The study of a file that holds several.
    overrides : str, optional
        Further ``key=value`` text that goes before the study's own.
    contracts : str, optional
        Keys that change in lockstep: ``"a + b, c + d"``; None: those of the study.
    generate, compute : str or mapping, optional
        Arguments of the generating function and of the computing class.
    where : str, optional
        A safe expression; only the sets for which it holds are planned.
    output_dir : str
        Where the files of the study as a whole go.
    recompute : int
        0: run nothing, 1: what is not finished, 2: everything.
    rerun : tuple of str
        Of the known sets run again exactly those whose last state is named.
    n_workers : int
        Runs at once.
    timeout, grace : float
        Seconds; after ``timeout`` a run gets TERM, after ``grace`` more KILL.
    retries : int
        How often a run that failed or timed out is tried again in this pass.
    retry_on : tuple of str
        After what: ``failed``, ``timeout``, ``lost``, ``exit:137``, ``signal:SIGKILL``;
        empty: the first two.
    retry_delay : float
        Seconds before it is tried again; other runs go on meanwhile.
    max_failures : int, optional
        Start no more runs after so many did not end well.
    accept_exit : tuple of int, optional
        Exit codes that mean success; None: those of the study, usually 0.
    resources : str or mapping, optional
        What each run needs of its worker: ``"GPU=1,memory=4e9"``, or names to amounts. Only
        for runners that mind them.
    survive : bool
        Let runs go on when the driver is killed; the next one takes them on.
    detach : bool
        Hand over what the runner's queue takes, and leave; a later pass takes it on.
    """

    section: str | None = None
    overrides: str | None = None
    contracts: str | None = None
    generate: str | Mapping[str, Any] | None = None
    compute: str | Mapping[str, Any] | None = None
    where: str | None = None
    output_dir: str = "output"
    recompute: int = 1
    rerun: tuple[str, ...] = ()
    n_workers: int = 2
    runner: str = "local"
    runner_options: Mapping[str, str] = field(default_factory=dict)
    cluster_kwargs: str | Mapping[str, Any] | None = None
    resources: str | Mapping[str, float] | None = None
    run_function: str = "subprocess.run"
    timeout: float | None = None
    grace: float = 5.0
    retries: int = 0
    retry_on: tuple[str, ...] = ()
    retry_delay: float = 0.0
    max_failures: int | None = None
    accept_exit: tuple[int, ...] | None = None
    capture: bool = True
    max_output: int | None = None
    progress: bool = False
    silent: bool = False
    durable: bool = False
    survive: bool = False
    detach: bool = False
    break_lock: bool = False
    dry_run: bool = False
    shell: bool = False
    argv: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    """The names of the options that the person gave; filled in by :meth:`create`."""

    @classmethod
    def create(cls, options: Mapping[str, Any]) -> RunOptions:
        """Check names and bounds.

        Raises
        ------
        UsageError
            For an unknown name or a value out of bounds.
        """
        known = [item.name for item in fields(cls) if item.name != "given"]
        for name in options:
            if name not in known:
                raise UsageError(f"unknown option {name!r}", hint=near_misses(name, known))
        self = cls(**options, given=frozenset(options))
        self._check()
        return self

    def with_defaults(self, defaults: Mapping[str, Any], source: Source | None) -> RunOptions:
        """Return the options with those that a study asks for where the person said nothing.

        Raises
        ------
        UsageError
            For a value out of bounds, naming the study.
        """
        wanted = {key: value for key, value in defaults.items() if key not in self.given}
        others = "runner" in self.given and self.runner != defaults.get(
            "runner", RunOptions().runner
        )
        if others:  # what is meant for one runner is nothing to another
            for key in _OF_RUNNER:
                wanted.pop(key, None)
        elif "runner_options" in defaults:
            wanted["runner_options"] = {**defaults["runner_options"], **self.runner_options}
        if not wanted:
            return self
        found = replace(self, **wanted)
        try:
            found._check()
        except UsageError as exc:
            exc.source = source
            raise
        return found

    def _check(self) -> None:
        if self.n_workers < 1:
            raise UsageError(
                f"the number of workers must be 1 or more, not {self.n_workers}", hint="use -n 2"
            )
        if self.recompute not in (0, 1, 2):
            raise UsageError(
                f"-r takes 0, 1 or 2, not {self.recompute}",
                hint="0: run nothing, 1: what is not finished, 2: everything",
            )
        for name, value, least in (
            ("timeout", self.timeout, 0.0),
            ("grace", self.grace, 0.0),
            ("retries", self.retries, 0),
            ("retry-delay", self.retry_delay, 0.0),
            ("max-failures", self.max_failures, 1),
            ("max-output", self.max_output, 0),
        ):
            if value is not None and not value >= least:
                raise UsageError(f"--{name} must be {least} or more, not {value}")
        check_words(self.retry_on)
        resources_of(self.resources)
        words = [*(state.value for state in State), *RERUN_WORDS]
        for word in self.rerun:
            if word not in words:
                raise UsageError(
                    f"--rerun does not know the state {word!r}",
                    hint=near_misses(word, words) or "known: " + ", ".join(words),
                )

    def namespace(self, conf: str, run_mod: str, contracts: Any) -> SimpleNamespace:
        """Return what user functions get as ``options``: the names that scripts read."""
        from soops.kernel.study.grammar import parse_dict
        from soops.kernel.study.rendering import as_texts

        def as_dict(text: Any, free_word: bool = True) -> Any:
            if not isinstance(text, str):
                return text
            return as_texts(parse_dict(text, free_word=free_word, directives=free_word))

        # A text without pairs is the name of a section.
        is_section = isinstance(self.generate, str) and not {"=", ":"} & set(self.generate)
        return SimpleNamespace(
            cluster_kwargs=as_dict(self.cluster_kwargs, free_word=False) or {},
            compute_pars=as_dict(self.compute),
            conf=conf,
            contract=[list(keys) for keys in contracts] or None,
            dry_run=self.dry_run,
            extra_conf=as_dict(self.overrides) or {},
            generate_pars=self.generate if is_section else as_dict(self.generate),
            n_workers=self.n_workers,
            output_dir=self.output_dir,
            recompute=self.recompute,
            run_function=self.run_function,
            run_mod=run_mod,
            runner=self.runner,
            shell=self.shell,
            study=self.section,
            timeout=self.timeout,
            verbose=not self.silent,
        )
