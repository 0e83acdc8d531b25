"""One thing that is wrong with a project, and how a process passes what it found on."""

from __future__ import annotations

from dataclasses import asdict, dataclass

RESULT = "result.json"
"""File of a process's findings in its scratch folder."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`line` 0: the whole file. A finding that is no error is shown and fails nothing."""

    rule: str
    file: str
    line: int
    found: str
    want: str
    hint: str = ""
    error: bool = True

    @property
    def document(self) -> dict[str, str | int | bool]:
        return asdict(self)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        advice = f" (hint: {self.hint})" if self.hint else ""
        kind = "error" if self.error else "warning"
        return f"{kind}: {where}: {self.rule}: {self.found}, want {self.want}{advice}"
