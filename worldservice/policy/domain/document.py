"""Reads a YAML document into plain values, strictly: no duplicate key, no alias, no odd type, bounded size.

It knows nothing of policies; `Document` is a section with its path, so that every refusal can name where.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TypeVar, Union

import yaml

from qmtl.core.errors import InvalidRequest, Violation

BYTES_MAX = 64 * 1024
DEPTH_MAX = 20
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})")  # no octal, hex or sexagesimal surprises

_DURATION = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION_MAX = timedelta(days=36_500)

Words = TypeVar("Words", bound=Enum)
Plain = Union[None, bool, int, float, str, "Sequence[Plain]", "Mapping[str, Plain]"]


def read_document(text: str) -> Plain:
    """The document as plain values. Raises InvalidRequest (E_POLICY_SYNTAX, E_POLICY_SIZE)."""
    if len(text.encode()) > BYTES_MAX:
        raise _refused("E_POLICY_SIZE", "", f"{len(text.encode())} bytes", f"at most {BYTES_MAX} bytes")
    try:
        _check_events(text)
        return _plain(yaml.compose(text, Loader=yaml.SafeLoader), "")
    except yaml.YAMLError as error:
        raise _refused("E_POLICY_SYNTAX", "", " ".join(str(error).split())[:300], "a YAML document") from error


@dataclass(frozen=True, slots=True)
class Document:
    """One mapping of the document and the path that leads to it."""

    path: str
    values: Mapping[str, Plain]

    @staticmethod
    def at(path: str, value: Plain) -> "Document":
        """A section. Raises InvalidRequest (E_POLICY_VALUE) for what is none."""
        if not isinstance(value, Mapping):
            raise _refused("E_POLICY_VALUE", path, str(value)[:200], "a mapping")
        return Document(path, value)

    def only(self, *keys: str) -> None:
        """Raises InvalidRequest (E_POLICY_KEY_UNKNOWN) for any other key."""
        for key in self.values:
            if key not in keys:
                raise _refused("E_POLICY_KEY_UNKNOWN", self._path(key), key, f"one of {', '.join(keys)}")

    def required(self, key: str) -> Plain:
        """The value of a key. Raises InvalidRequest (E_POLICY_KEY_MISSING)."""
        value = self.values.get(key)
        if value is None:
            raise _refused("E_POLICY_KEY_MISSING", self._path(key), "absent", "a value")
        return value

    def optional(self, key: str) -> Plain:
        """The value of a key, or None when it is absent."""
        if key in self.values and self.values[key] is None:
            raise _refused("E_POLICY_VALUE", self._path(key), "empty", "a value, or no such key")
        return self.values.get(key)

    def section(self, key: str) -> "Document":
        """The mapping under a key."""
        return Document.at(self._path(key), self.required(key))

    def _path(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def parse_duration(value: Plain, path: str) -> timedelta:
    """ "5m", "60d": a whole number and one of s m h d w."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _refused("E_POLICY_UNIT", path, str(value)[:200], "a duration like 30s, 5m, 3h, 60d or 2w")
    span = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    if span > _DURATION_MAX:
        raise _refused("E_POLICY_VALUE", path, str(value)[:200], "at most 36500d")
    return span


def parse_word(value: Plain, path: str, kind: type[Words]) -> Words:
    """One of the words of an enum, as they are written in a policy: its values."""
    words = {str(one.value): one for one in kind}
    if not isinstance(value, str) or value not in words:
        raise refused_value(path, value, f"one of {', '.join(words)}")
    return words[value]


def refused_value(path: str, value: object, want: str) -> InvalidRequest:
    """The error of a value that a policy may not have, naming its path."""
    shown = str(value)[:200]
    return InvalidRequest(
        "E_POLICY_VALUE", f"{path} is {shown!r}, want {want}", violations=[Violation(path, shown, want)]
    )


def _check_events(text: str) -> None:
    """Bound depth and refuse aliases before anything recursive or multiplying sees the text."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _refused("E_POLICY_SYNTAX", "", f"*{event.anchor}", "no aliases")
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX or documents > 1:
            raise _refused("E_POLICY_SYNTAX", "", "nested or repeated", f"one document, at most {DEPTH_MAX} levels")


def _plain(node: yaml.Node | None, path: str) -> Plain:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path)
    raise _refused("E_POLICY_SYNTAX", path, "empty", "a document")


def _mapping(node: yaml.MappingNode, path: str) -> Mapping[str, Plain]:
    values: dict[str, Plain] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
            raise _refused("E_POLICY_SYNTAX", path, "a key that is not a word", "plain keys")
        key = str(key_node.value)
        here = f"{path}.{key}" if path else key
        if key in values:
            raise _refused("E_POLICY_KEY_TWICE", here, "given twice", "each key once")
        values[key] = _plain(value_node, here)
    return values


def _scalar(node: yaml.ScalarNode, path: str) -> Plain:
    text = str(node.value)
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "int" and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "float" and math.isfinite(number := _float(text)):
        return number
    want = "text, a whole number, a decimal number, true or false"
    if ":" in text:  # YAML reads 16:00 as a number to the base 60
        want = f'a time in quotes, "{text[:20]}", or {want}'
    raise _refused("E_POLICY_VALUE", path, text[:200], want)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # YAML also knows .inf, .nan and sexagesimal numbers
        return math.nan


def _refused(reason: str, path: str, value: str, want: str) -> InvalidRequest:
    where = path or "document"
    return InvalidRequest(reason, f"{where} is {value!r}, want {want}", violations=[Violation(where, value, want)])


def require_constant(section: Document, key: str, value: str) -> None:
    """A statement with only one legal value may be written with it."""
    given = section.optional(key)
    if given is not None and given != value:
        raise refused_value(f"{section.path}.{key}", given, f"{value}, which always holds")


def parse_text(section: Document, key: str) -> str:
    """A short text, or empty when the key is absent."""
    value = section.optional(key)
    if value is None:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable() or value.isspace():
        raise refused_value(f"{section.path}.{key}", value, "1 to 200 printable characters, not all blank")
    return value


def parse_flag(section: Document, key: str, *, default: bool) -> bool:
    """A yes or no, or the default when the key is absent."""
    value = section.optional(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise refused_value(f"{section.path}.{key}", value, "true or false")
    return value


def parse_condition(section: Document) -> str:
    """The text of a rule's `when`."""
    text = section.required("when")
    if not isinstance(text, str):
        raise refused_value(f"{section.path}.when", text, "a CEL expression in quotes")
    return text


def parse_in_a_row(section: Document, most: int, of: str) -> int:
    """How many `of` in a row the `for` of a rule wants: 1 where it is absent."""
    value = section.optional("for")
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise refused_value(f"{section.path}.for", value, f"a whole number of {of} from 1 to {most:,}")
    return value
