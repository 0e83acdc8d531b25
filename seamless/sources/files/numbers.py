"""Numbers as exports write them: decimal commas, separated thousands, signs of currencies, K, M and B."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from qmtl.core.errors import refused

_SIGNS = r"[\s\x{00a0}\x{202f}\x{2019}$€£¥'%]"
_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9}


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The sign before the fraction, and the one between thousands; empty: none."""

    decimal: str = "."
    thousands: str = ""


def number_format(columns: Sequence[pl.Series], separator: str = ",") -> NumberFormat:
    """How the numbers of a table are written: what most of them can only mean.

    Raises InvalidRequest (E_FILE_LAYOUT) when each could be thousands as well as three places.
    """
    texts = pl.concat([column.str.replace_all(_SIGNS, "") for column in columns]).drop_nulls()
    point, comma = _Signs.of(texts, "."), _Signs.of(texts, ",")
    if point.fractions or comma.fractions:
        decimal = "." if point.fractions >= comma.fractions else ","
    elif point.groups or comma.groups:
        decimal = "," if point.groups >= comma.groups else "."
    elif comma.threes or (point.threes and separator == ";"):
        decimal = _of_threes(texts, comma.threes > 0)
    else:
        decimal = "."
    other = comma if decimal == "." else point
    return NumberFormat(decimal, other.sign if other.groups or other.threes else "")


def _of_threes(texts: pl.Series, comma: bool) -> str:
    """Three digits follow each sign: thousands if smaller numbers stand beside them without one."""
    if bool(texts.str.contains(r"^[-+]?\d{1,3}$").any()):
        return "." if comma else ","
    example = str(texts.filter(texts.str.contains(r"[.,]"))[0])[:40]
    raise refused("E_FILE_LAYOUT", "numbers", f"{example!r} is thousands or three places", "decimal sign . or ,")


def parse_numbers(column: pl.Series, form: NumberFormat) -> NDArray[np.float64]:
    """Values of texts; NaN where one is no number."""
    plain = column.str.replace_all(_SIGNS, "").str.to_lowercase()
    if form.thousands:
        grouped = rf"^[-+]?\d{{1,3}}({re.escape(form.thousands)}\d{{3}})+({re.escape(form.decimal)}\d*)?[kmb]?$"
        whole = plain.str.contains(grouped).fill_null(value=False)
        plain = plain.str.replace_all(form.thousands, "", literal=True).zip_with(whole, plain)
    if form.decimal == ",":
        plain = plain.str.replace_all(",", ".", literal=True)
    scale = plain.str.slice(-1).replace_strict(_SCALES, default=1.0, return_dtype=pl.Float64)
    digits = plain.str.replace(r"^(.*\d)[kmb]$", "$1")
    exact = digits.str.contains(r"^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$").fill_null(value=False)
    values = digits.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return np.where(exact.to_numpy(), values * scale.fill_null(1.0).to_numpy(), np.nan)


@dataclass(frozen=True, slots=True)
class _Signs:
    """In how many numbers a sign is followed by other than three digits, surely parts thousands, or may do either."""

    sign: str
    fractions: int
    groups: int
    threes: int

    @classmethod
    def of(cls, texts: pl.Series, sign: str) -> _Signs:
        mine, theirs = re.escape(sign), re.escape("," if sign == "." else ".")

        def count(pattern: str) -> int:
            return int(texts.str.contains(pattern).sum())

        end = r"(e[-+]?\d+|[kKmMbB])?$"
        fractions = count(rf"^[-+]?[\d{theirs}]*{mine}(\d{{1,2}}|\d{{4,}})?{end}")
        groups = count(rf"^[-+]?\d{{1,3}}({mine}\d{{3}})+({theirs}\d*|{mine}\d{{3}}){end}")
        return cls(sign, fractions, groups, count(rf"^[-+]?\d{{1,3}}{mine}\d{{3}}{end}"))
