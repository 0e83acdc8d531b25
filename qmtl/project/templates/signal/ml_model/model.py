"""Models as files: numbers in JSON, named by the SHA-256 of their content, so that a name is one model for ever."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("models")


@dataclass(frozen=True, slots=True)
class Model:
    """A linear model: the score is the sum of weights times features, and the constant."""

    weights: dict[str, float]
    constant: float


def load(digest: str, folder: Path = FOLDER) -> Model:
    """The model of that name. Raises ValueError where the file's content is another's."""
    content = (folder / f"{digest}.json").read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ValueError(f"models/{digest}.json has the content of {found}: it was changed after training")
    return Model(**json.loads(content))


def save(model: Model, folder: Path = FOLDER) -> str:
    """Keeps a model beside the others; its name, which is the hash of its content."""
    content = (json.dumps(asdict(model), indent=2, sort_keys=True) + "\n").encode()
    digest = hashlib.sha256(content).hexdigest()
    folder.mkdir(exist_ok=True)
    (folder / f"{digest}.json").write_bytes(content)
    return digest
