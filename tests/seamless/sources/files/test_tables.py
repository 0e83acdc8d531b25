"""Text as rows: a table read at once holds what a reader of lines finds in it."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from seamless.sources.files.tables import read_table

FIELDS = st.one_of(st.text(st.sampled_from("1.5a'; -é"), max_size=4), st.just('"1,5"'))
LINES = st.lists(st.lists(FIELDS, min_size=5, max_size=7), min_size=1, max_size=6)
HEAD = "time,open,high,low,close,volume"


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), last=st.booleans(), blank=st.booleans())
def test_rows_are_those_of_a_reader_of_csv(lines: list[list[str]], end: str, last: bool, blank: bool) -> None:
    rows = [HEAD, *(",".join(line) for line in lines), *([""] if blank else []), *[HEAD] * len(lines)]
    text = end.join(rows) + (end if last else "")
    read = [row for row in csv.reader(io.StringIO(text, newline="")) if any(field.strip() for field in row)]
    start = next(at for at, row in enumerate(read) if len(row) == 6)
    want = [tuple(row) if len(row) == 6 else (None,) * 6 for row in read[start:]]
    table = read_table(text.encode())
    assert table.rows.rows() == want
    assert table.first == want[0]


def test_empty_fields_are_empty_and_short_rows_are_nothing() -> None:
    table = read_table(f"{HEAD}\n1,,3,4,5,\n1,2,3,4,5\n1,2,3,4,5,6,7\n , ,,,,\n".encode())
    assert table.rows.rows()[1:] == [("1", "", "3", "4", "5", ""), (None,) * 6, (None,) * 6]
    assert read_table(f"{HEAD}\n1,,3,4,5,\n".encode()).rows.rows()[1] == ("1", "", "3", "4", "5", "")
