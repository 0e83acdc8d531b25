"""The real live feed of a data preset, as far as it has come."""

from dataclasses import dataclass
from datetime import datetime

from qmtl.core.errors import refused


@dataclass(frozen=True, slots=True)
class Feed:
    """Every bar that closes by `watermark` has come; the next one that is expected closes at `next_close`."""

    data_preset: str
    watermark: datetime
    next_close: datetime

    def __post_init__(self) -> None:
        if not self.data_preset:
            raise refused("E_FEED", "data_preset", "empty", "a preset's name")
        if self.next_close <= self.watermark:
            want = f"after the watermark, {self.watermark.isoformat()}"
            raise refused("E_FEED", "next_close", self.next_close.isoformat(), want)
