"""Parameters of templates and the answers to them: typed, bounded, refused by name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from qmtl.core.errors import refused
from qmtl.project.secret_shapes import secret_in

Answer: TypeAlias = str | int | float | bool
LENGTH_MAX = 200
"""Characters of a text."""


class ParameterKind(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A question that a template asks. `pattern`: the whole of a text must match it; empty: any line of text."""

    name: str
    kind: ParameterKind
    default: Answer
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def parsed(self, text: str) -> Answer:
        """The answer that a command line gives. Raises InvalidRequest (E_PARAMETER)."""
        match self.kind:
            case ParameterKind.BOOLEAN if text in ("true", "false"):
                return text == "true"
            case ParameterKind.INTEGER if re.fullmatch(r"[+-]?\d{1,18}", text):
                return self.checked(int(text))
            case ParameterKind.NUMBER:
                try:
                    return self.checked(float(text))
                except ValueError:
                    pass
            case ParameterKind.TEXT:
                return self.checked(text)
            case _:
                pass
        raise self._refused(text)

    def checked(self, answer: object) -> Answer:
        """The answer if it is one to this parameter. Raises InvalidRequest (E_PARAMETER)."""
        match self.kind, answer:
            case ParameterKind.BOOLEAN, bool():
                return answer
            case ParameterKind.INTEGER | ParameterKind.NUMBER, bool():
                pass
            case ParameterKind.INTEGER, int() if self._inside(answer):
                return answer
            case ParameterKind.NUMBER, int() | float() if math.isfinite(answer) and self._inside(answer):
                return float(answer)
            case ParameterKind.TEXT, str() if kind := secret_in(answer):
                want = "no secret: answers are committed with the project"
                raise refused("E_PARAMETER", self.name, kind, want)
            case ParameterKind.TEXT, str() if self._spells(answer):
                return answer
            case _:
                pass
        raise self._refused(answer)

    @property
    def want(self) -> str:
        """What an answer has to be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is ParameterKind.TEXT:
            matching = f" matching {self.pattern}" if self.pattern else ""
            return f"one line of 1 to {LENGTH_MAX} printable characters{matching}"
        bounds = [
            f"{word} {bound:g}" for word, bound in (("from", self.minimum), ("to", self.maximum)) if bound is not None
        ]
        kinds = {ParameterKind.INTEGER: "an integer", ParameterKind.NUMBER: "a number"}
        return " ".join([kinds.get(self.kind, "true or false"), *bounds])

    def _inside(self, value: float) -> bool:
        low = self.minimum is None or value >= self.minimum
        return low and (self.maximum is None or value <= self.maximum)

    def _spells(self, text: str) -> bool:
        if not 1 <= len(text) <= LENGTH_MAX or not text.isprintable() or (self.choices and text not in self.choices):
            return False
        return not self.pattern or re.fullmatch(self.pattern, text) is not None

    def _refused(self, answer: object) -> Exception:
        return refused("E_PARAMETER", self.name, repr(answer), self.want)


def answered(parameters: Mapping[str, Parameter], given: Mapping[str, object]) -> dict[str, Answer]:
    """An answer to every parameter: the given one, else its default, by name in order.

    Raises InvalidRequest (E_PARAMETER) for a wrong answer and for one to a question that nobody asks.
    """
    for name in given:
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise refused("E_PARAMETER", name, repr(given[name]), f"one of the parameters of the templates: {known}")
    return {name: parameters[name].checked(given.get(name, parameters[name].default)) for name in sorted(parameters)}


def parsed_answers(parameters: Mapping[str, Parameter], given: Mapping[str, str]) -> dict[str, Answer]:
    """Answers from texts. Raises as `answered`."""
    answered(parameters, {name: parameters[name].default for name in given if name in parameters})
    unknown = {name: text for name, text in given.items() if name not in parameters}
    if unknown:
        answered(parameters, unknown)
    return {name: parameters[name].parsed(text) for name, text in given.items()}
