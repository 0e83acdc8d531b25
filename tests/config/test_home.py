"""The record of a running mesh: what is believed of it, and what is not."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qmtl.config.home import (
    Record,
    Running,
    alive,
    find_home,
    gateway_address,
    is_alive,
    live_record,
    process_stamp,
    read_record,
    record_path,
    write_record,
)
from qmtl.config.settings import DEFAULT_ADDRESSES


def this_process(name: str = "supervisor", address: str = "") -> Running:
    return Running(name, address, os.getpid(), process_stamp(os.getpid()) or "")


def record() -> Record:
    gateway = this_process("gateway", "127.0.0.1:1234")
    second = this_process("gateway-2", "127.0.0.1:1235")
    return Record(this_process(), "nats://127.0.0.1:4222", True, (gateway, second))


def test_record_round_trips(tmp_path: Path) -> None:
    write_record(tmp_path, record())
    assert read_record(tmp_path) == record() == live_record(tmp_path)
    assert record().address_of("gateway-2") == "127.0.0.1:1235"
    assert record().address_of("seamless") is None


def test_later_process_with_the_same_pid_is_another_one() -> None:
    assert is_alive(this_process())
    assert not is_alive(replace(this_process(), stamp="1"))


def test_ended_process_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    running = Running("x", "", process.pid, process_stamp(process.pid) or "")
    assert alive([running]) == [running]
    process.communicate(b"\n")
    assert alive([running]) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"supervisor": {"pid": 1}}'])
def test_record_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    write_record(tmp_path, record())
    record_path(tmp_path).write_text(text, encoding="utf-8")
    assert read_record(tmp_path) is None
    assert live_record(tmp_path) is None


def test_gateway_of_a_running_mesh_else_the_configured_one(tmp_path: Path) -> None:
    config = tmp_path / "qmtl.toml"
    config.write_text("", encoding="utf-8")
    assert gateway_address(tmp_path, config) == DEFAULT_ADDRESSES["gateway"]
    config.write_text('[mesh.addresses]\ngateway = "127.0.0.1:99"\n', encoding="utf-8")
    assert gateway_address(tmp_path, config) == "127.0.0.1:99"
    write_record(tmp_path, record())
    assert gateway_address(tmp_path, config) == "127.0.0.1:1234"
    stale = replace(record(), supervisor=replace(this_process(), stamp="1"))
    write_record(tmp_path, stale)
    assert gateway_address(tmp_path, config) == "127.0.0.1:99"


def test_home_given_wins_over_the_configured_one(tmp_path: Path) -> None:
    config = tmp_path / "qmtl.toml"
    config.write_text(f'[mesh]\nhome = "{tmp_path}/here"\n', encoding="utf-8")
    assert find_home(None, config) == tmp_path / "here"
    assert find_home(tmp_path / "there", config) == tmp_path / "there"
