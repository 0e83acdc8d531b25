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
_POINTED = r"^[-+]?\d*\.(\d{1,2}|\d{4,})$"
_PLAIN = r"^[-+]?\d+(\.\d+)?$"
_INTEGER = r"^[-+]?\d{1,18}$"
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
    plain = [column.str.replace_all(_SIGNS, "").drop_nulls() for column in columns]
    texts = pl.concat(plain)
    if not bool(texts.str.contains(",", literal=True).any()) and bool(texts.str.contains(_POINTED).any()):
        return NumberFormat()  # nothing but points, of which one is sure: the counts below would say the same
    point, comma = _Signs.of(texts, "."), _Signs.of(texts, ",")
    if point.fractions or comma.fractions:
        decimal = "." if point.fractions >= comma.fractions else ","
    elif point.groups or comma.groups:
        decimal = "," if point.groups >= comma.groups else "."
    elif comma.threes or (point.threes and separator == ";"):
        decimal = _of_threes(plain, "," if comma.threes else ".")
    else:
        decimal = "."
    other = comma if decimal == "." else point
    return NumberFormat(decimal, other.sign if other.groups or other.threes else "")


def _of_threes(columns: Sequence[pl.Series], sign: str) -> str:
    """Three digits follow each sign: thousands if smaller numbers, but not 0, stand in one column with them without it.
    Those of other columns say nothing: a price of three places has whole volumes beside it.
    """
    threes = rf"^[-+]?[1-9]\d{{0,2}}{re.escape(sign)}\d{{3}}$"
    some = [column for column in columns if bool(column.str.contains(threes).any())]
    if any(bool(column.str.contains(r"^[-+]?[1-9]\d{0,2}$").any()) for column in some):
        return "." if sign == "," else ","
    example = str(some[0].filter(some[0].str.contains(threes))[0])[:40] if some else "three digits after each sign"
    raise refused("E_FILE_LAYOUT", "numbers", f"{example!r} is thousands or three places", "decimal sign . or ,")


def parse_numbers(column: pl.Series, form: NumberFormat) -> NDArray[np.float64]:
    """Values of texts; NaN where one is no number."""
    if form == NumberFormat() and bool(column.str.contains(_PLAIN).fill_null(value=False).all()):
        return column.cast(pl.Float64).to_numpy()
    plain = column.str.replace_all(_SIGNS, "").str.to_lowercase()
    if form.thousands:
        grouped = rf"^[-+]?[1-9]\d{{0,2}}({re.escape(form.thousands)}\d{{3}})+({re.escape(form.decimal)}\d*)?[kmb]?$"
        whole = plain.str.contains(grouped).fill_null(value=False)
        plain = plain.str.replace_all(form.thousands, "", literal=True).zip_with(whole, plain)
    if form.decimal == ",":
        plain = plain.str.replace_all(",", ".", literal=True)
    scale = plain.str.slice(-1).replace_strict(_SCALES, default=1.0, return_dtype=pl.Float64)
    digits = plain.str.replace(r"^(.*\d)[kmb]$", "$1")
    exact = digits.str.contains(r"^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$").fill_null(value=False)
    values = digits.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return np.where(exact.to_numpy(), values * scale.fill_null(1.0).to_numpy(), np.nan)


def kind_of(column: pl.Series, form: NumberFormat | None = None) -> str:
    """Numpy's kind of a column that is not read: "i" for texts that are all integers, "f" for those that are numbers,
    "U" for others.
    """
    if column.dtype == pl.String:
        some = column.drop_nulls()
        if len(some) and some.str.strip_chars().str.contains(_INTEGER).all():
            return "i"
        return "f" if len(some) and not np.isnan(parse_numbers(some, form or NumberFormat())).any() else "U"
    kinds = {"i": column.dtype.is_integer(), "f": column.dtype.is_numeric(), "M": column.dtype.is_temporal()}
    return next((kind for kind, fits in kinds.items() if fits), "U")


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
        fractions += count(rf"^[-+]?0*{mine}\d{{3}}{end}")  # nobody groups thousands of nought
        groups = count(rf"^[-+]?[1-9]\d{{0,2}}({mine}\d{{3}})+({theirs}\d*|{mine}\d{{3}}){end}")
        return cls(sign, fractions, groups, count(rf"^[-+]?[1-9]\d{{0,2}}{mine}\d{{3}}{end}"))
