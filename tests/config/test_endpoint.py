"""Which gateway a client speaks to, and with what: by option, environment, home, in this order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qmtl.config.endpoint import EndpointOptions, find_endpoint
from qmtl.config.home import Record, Running, process_stamp, subject_token_path, user_token_path, write_record
from qmtl.core.errors import InvalidRequest, NotReady, Unauthenticated
from qmtl.core.roles import Role

ELSEWHERE = "gw.example:7700"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an operator's token, where a mesh runs."""
    path = user_token_path(tmp_path, Role.OPERATOR)
    path.parent.mkdir()
    path.write_text("local\n")
    subject_token_path(tmp_path, "campaign-loop").write_text("local\n")
    here = Running("supervisor", "", os.getpid(), process_stamp(os.getpid()) or "")
    write_record(tmp_path, Record(here, "", True, (Running("gateway", "127.0.0.1:7070", 1, ""),)))
    return tmp_path


def test_an_address_is_given_or_the_environments_or_that_of_the_mesh_of_the_home(home: Path) -> None:
    environ = {"QMTL_ADDRESS": "127.0.0.1:2"}
    found = [
        find_endpoint(EndpointOptions(home=home), {}),
        find_endpoint(EndpointOptions(home=home), environ),
        find_endpoint(EndpointOptions("127.0.0.1:3", home=home), environ),
    ]
    assert [(one.address, one.address_from, one.home) for one in found] == [
        ("127.0.0.1:7070", f"the mesh of {home}", home),
        ("127.0.0.1:2", "QMTL_ADDRESS", None),
        ("127.0.0.1:3", "given", None),
    ]


def test_a_token_is_given_or_the_environments_or_the_homes(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.jwt"
    cases = [
        (EndpointOptions(token="a"), {"QMTL_TOKEN": "b"}, ("a", None)),
        (EndpointOptions(token_file=file), {"QMTL_TOKEN": "b"}, ("", file)),
        (EndpointOptions(), {"QMTL_TOKEN": "b"}, ("b", None)),
        (EndpointOptions(), {"QMTL_TOKEN_FILE": str(file)}, ("", file)),
        (EndpointOptions(home=home), {}, ("", home / "tokens" / "operator.jwt")),
        (EndpointOptions(home=home, subject="campaign-loop"), {}, ("", home / "tokens" / "campaign-loop.jwt")),
        (EndpointOptions(home=home, subject="campaign-loop"), {"QMTL_TOKEN": "b"}, ("b", None)),
        (EndpointOptions("127.0.0.1:1", home=home), {}, ("", home / "tokens" / "operator.jwt")),
    ]
    for options, environ, wanted in cases:
        found = find_endpoint(options, environ)
        assert (found.token, found.token_file) == wanted


def test_the_homes_token_is_not_sent_to_another_machine(home: Path) -> None:
    with pytest.raises(Unauthenticated, match=rf"E_TOKEN_MISSING.*{ELSEWHERE}.*--token-file, QMTL_TOKEN"):
        find_endpoint(EndpointOptions(ELSEWHERE, home=home), {})


def test_a_home_that_was_never_used_runs_no_mesh(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"E_NOT_RUNNING.*qmtl up.*QMTL_ADDRESS"):
        find_endpoint(EndpointOptions(home=tmp_path), {})


def test_certificates_come_by_option_or_environment(tmp_path: Path) -> None:
    environ = {"QMTL_CA": "ca", "QMTL_CLIENT_CERT": "c", "QMTL_CLIENT_KEY": "k"}
    found = find_endpoint(EndpointOptions(ELSEWHERE, "t"), environ)
    assert (found.ca, found.cert, found.key) == (Path("ca"), Path("c"), Path("k"))
    given = EndpointOptions(ELSEWHERE, "t", ca=Path("1"), cert=Path("2"), key=Path("3"))
    found = find_endpoint(given, environ)
    assert (found.ca, found.cert, found.key) == (Path("1"), Path("2"), Path("3"))


@pytest.mark.parametrize(
    ("options", "environ", "named"),
    [
        (EndpointOptions("nowhere", "t"), {}, "E_CONFIG: address is 'nowhere', want host:port"),
        (EndpointOptions(token="t"), {"QMTL_ADDRESS": "x:y"}, "E_CONFIG: QMTL_ADDRESS is 'x:y', want host:port"),
        (EndpointOptions(ELSEWHERE, "t", cert=Path("c")), {"QMTL_CA": "a"}, "--client-key or QMTL_CLIENT_KEY is not"),
        (EndpointOptions(ELSEWHERE, "t"), {"QMTL_CLIENT_KEY": "k"}, "--client-cert or QMTL_CLIENT_CERT is not given"),
        (EndpointOptions(ELSEWHERE, "t", cert=Path("c"), key=Path("k")), {}, "--ca or QMTL_CA is not given"),
        (EndpointOptions(ELSEWHERE, "t", Path("f")), {}, "E_TOKEN_OPTIONS: token and token file are both given"),
        (
            EndpointOptions(ELSEWHERE),
            {"QMTL_TOKEN": "t", "QMTL_TOKEN_FILE": "f"},
            "E_TOKEN_OPTIONS: QMTL_TOKEN and QMTL_TOKEN_FILE",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(
    options: EndpointOptions, environ: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        find_endpoint(options, environ)
    assert named in str(refused.value)


def test_a_token_is_never_shown() -> None:
    found = find_endpoint(EndpointOptions("127.0.0.1:1", "secret"), {})
    assert "secret" not in repr(found) + str(found) + repr(EndpointOptions(token="secret"))
