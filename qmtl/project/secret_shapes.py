"""What keys and tokens look like: their prefixes, and the entropy of a value that is assigned to a name of a secret."""

from __future__ import annotations

import math
import re
from collections import Counter

SECRET_SHAPES = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\bgh[pousr]_[0-9A-Za-z]{36,}\b|\bgithub_pat_\w{22,}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}")),
    ("a live payment key", re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,}")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
)
_NAME = r"(?:secret|token|passw(?:or)?d|api_?key|private_?key)"
_NAMED = re.compile(rf"(?i){_NAME}")
_ASSIGNED = re.compile(rf"(?i)\b[\w-]*{_NAME}[\w-]*[\"']?\s*[:=]\s*[\"']([^\"'\s]{{20,}})[\"']")
ENTROPY_BITS = 3.5
"""Shannon entropy a character of values that keys have and words have not."""


def secret_in(line: str) -> str:
    """What kind of secret a line seems to hold; empty for none."""
    for kind, shape in SECRET_SHAPES:
        if shape.search(line):
            return kind
    for value in _ASSIGNED.findall(line):
        if entropy(value) >= ENTROPY_BITS and not value.startswith(("/", "./", "~", "$", "{")):
            return "a value that looks like a key"
    return ""


def names_secret(name: str) -> bool:
    """Whether a value of this name would be a secret."""
    return _NAMED.search(name) is not None


def entropy(text: str) -> float:
    """Shannon entropy in bits a character: -sum(p log2 p) over the frequencies of its characters."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
