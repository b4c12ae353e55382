"""A learner's dataclass instances and enum members, as the plain data that crosses."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labrunner.kit.failures import Failure
from labrunner.kit.values import key, shown


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Record:
    """An instance of a dataclass: `kind` is the class's name, `fields` are in their order.

    `record["amount"]` is a field; one that is not there fails the check. Two records are equal when their
    classes have the same name and their fields are the same by type and value.
    """

    kind: str
    fields: Mapping[str, object]
    module: str = ""

    def __getitem__(self, name: str) -> object:
        if name not in self.fields:
            raise Failure(
                f"{self.kind} has no field `{name}`",
                expected=f"a field `{name}`",
                seen=", ".join(self.fields) or "no fields",
            )
        return self.fields[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and (self.kind, key(self.fields)) == (other.kind, key(other.fields))

    def __hash__(self) -> int:
        return hash((self.kind, key(self.fields)))

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={shown(value)}' for name, value in self.fields.items())})"


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """A member of an enum: the enum's name and its own; these alone decide whether two are equal."""

    kind: str
    name: str
    value: object = field(default=None, compare=False)
    module: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"{self.kind}.{self.name}"
