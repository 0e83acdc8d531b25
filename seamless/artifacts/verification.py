"""Whether sealed files are still what was sealed: every byte by its hash, every row by its leaf.

What is found is told and left as it is; only a person knows which backup is good.
"""

from __future__ import annotations

from qmtl.core.errors import DataLoss
from seamless.artifacts.archive import Archive, description, hashes_of
from seamless.domain.fingerprints import leaf_digest
from seamless.domain.manifests import Manifest
from seamless.storage.files import bars_of, read_frame


def damages(archive: Archive, manifest: Manifest) -> list[str]:
    """What is wrong with the files of an artifact; work for a thread."""
    described = archive.manifest_path(manifest)
    try:
        hashes, document = hashes_of(described)
    except FileNotFoundError:
        return [f"{described} is gone"]
    except DataLoss as error:
        return [error.message]
    found = [] if document == description(manifest) else [f"{described} does not describe {manifest.fingerprint}"]
    for leaf in manifest.leaves:
        path = archive.leaf_path(manifest.dataset, leaf)
        try:
            rows = bars_of(read_frame(path, hashes.get(leaf.month, "")))
        except FileNotFoundError:
            found.append(f"{path} is gone")
        except DataLoss as error:
            found.append(error.message)
        else:
            if leaf_digest(manifest.dataset, leaf.month, rows) != leaf.digest:
                found.append(f"{path} has other rows than its leaf")
    return found
