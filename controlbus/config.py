"""Settings of controlbus: section `[controlbus]` of qmtl.toml."""

from pydantic import Field

from qmtl.config.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the operator service needs beside the settings every service has."""

    service: str = "controlbus"
    # open Tail streams; more are refused
    tails_max: int = Field(default=64, ge=1, le=1000)
