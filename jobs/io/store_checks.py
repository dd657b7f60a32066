"""Checks of an output's store before a run. A new check is a function, and its entry in CHECKS."""

from collections.abc import Callable
from dataclasses import dataclass

from jobs.errors import UserError
from jobs.io.create_only import check_create_only


@dataclass(frozen=True, kw_only=True)
class StoreCheck:
    """A property of the store on which a run relies."""

    name: str
    find_problem: Callable[[str], str | None]  # of an output: a message, or None
    protects_from_other_writers: bool = False  # with --single-writer the user promises that there are none


CHECKS: tuple[StoreCheck, ...] = (
    StoreCheck(name="create-only writes", find_problem=check_create_only, protects_from_other_writers=True),
)


def check_store(output: str, *, is_single_writer: bool) -> None:
    """Run all checks. Raises UserError for a store that fails one, and OSError for a store that cannot be written."""
    for check in CHECKS:
        if check.protects_from_other_writers and is_single_writer:
            continue
        if problem := check.find_problem(output):
            raise UserError(f"OUTPUT fails the check of {check.name}: {problem}")
