"""Results: what executing a plan gave, records and errors only: no value is held."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlrecipe.errors import MlrecipeError, OpError, RequestError
from mlrecipe.pipeline.plan import Plan
from mlrecipe.store.records import Record


@dataclass(slots=True)
class Results:
    """What executing a plan gave."""

    records: dict[str, Record] = field(default_factory=dict)
    """Node → record, for every node that has one."""

    ran: list[str] = field(default_factory=list)
    """Nodes whose op ran, in the order of the plan."""

    failures: dict[str, MlrecipeError] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    """Nodes not run because one that they need failed."""

    def sort(self, plan: Plan) -> None:
        """Bring everything into the order of the plan, whatever was done first."""
        names = [step.node.name for step in plan.steps]
        self.records = {n: self.records[n] for n in names if n in self.records}
        self.ran = [n for n in names if n in self.ran]
        self.failures = {n: self.failures[n] for n in names if n in self.failures}
        self.skipped = [n for n in names if n in self.skipped]

    def raise_failures(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            MlrecipeError: the failure, or one error with all of them.
        """
        # Of a store that cannot be written each node says the same.
        errors = list({str(error): error for error in self.failures.values()}.values())
        if len(errors) == 1:
            raise errors[0]
        if errors:  # no `RecipeError`, of which it is said that nothing was run
            all_wrong = all(isinstance(error, RequestError) for error in errors)
            kind = RequestError if all_wrong else OpError
            raise kind("\n".join(str(error) for error in errors))
