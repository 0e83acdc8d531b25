"""Hierarchical risk parity (Lopez de Prado 2016, "Building Diversified Portfolios that Outperform Out of Sample").

d = sqrt((1 - r) / 2), the Euclidean distance between columns of d, single linkage, the order of the leaves, then halves
by inverse variance. Ids are sorted before, and ties go to the lower index, so that the order of rows changes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldservice.allocation.domain.proposals.methods import inverse_volatility

Doubles = npt.NDArray[np.float64]


def hierarchical(covariance: Doubles) -> Doubles:
    """Weights of 0 or more that add up to 1."""
    order = leaf_order(distances(covariance))
    weights = np.ones(len(covariance))
    halves = [order]
    while halves:
        cluster = halves.pop()
        if len(cluster) < 2:
            continue
        left, right = cluster[: len(cluster) // 2], cluster[len(cluster) // 2 :]
        of_left, of_right = _variance(covariance, left), _variance(covariance, right)
        share = 1.0 - of_left / (of_left + of_right)
        weights[left] *= share
        weights[right] *= 1.0 - share
        halves += [left, right]
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def distances(covariance: Doubles) -> Doubles:
    """The distance of distances between all pairs."""
    vol = 1.0 / inverse_root(covariance)
    correlation = np.clip(covariance / np.outer(vol, vol), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    d = np.sqrt((1.0 - correlation) / 2.0)
    squares = (d * d).sum(axis=0)
    found = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2.0 * (d.T @ d), 0.0))
    np.fill_diagonal(found, 0.0)
    return np.asarray((found + found.T) / 2.0, dtype=np.float64)


def inverse_root(covariance: Doubles) -> Doubles:
    """1/s of each; up to a factor the weights by inverse volatility, and with their check."""
    inverse_volatility(covariance)
    return np.asarray(1.0 / np.sqrt(np.diag(covariance)), dtype=np.float64)


def leaf_order(distance: Doubles) -> list[int]:
    """The leaves of a single linkage tree from left to right: of two that merge the older cluster stands left,
    and leaves, by index, before all clusters.

    Prim's spanning tree, whose edges by length are the merges of single linkage: n^2, without a scan per merge.
    """
    n = len(distance)
    members = {i: [i] for i in range(n)}
    of = list(range(n))
    for merged, (_, a, b) in enumerate(sorted(_spanning_tree(distance)), start=n):
        left, right = sorted((of[a], of[b]))
        members[merged] = members.pop(left) + members.pop(right)
        for leaf in members[merged]:
            of[leaf] = merged
    return next(iter(members.values()))


def _spanning_tree(distance: Doubles) -> list[tuple[float, int, int]]:
    n = len(distance)
    best, nearest = distance[0].copy(), np.zeros(n, dtype=int)
    out = np.ones(n, dtype=bool)
    out[0] = False
    edges = []
    for _ in range(n - 1):
        candidates = np.where(out, best, np.inf)
        new = int(np.argmin(candidates))
        a, b = sorted((int(nearest[new]), new))
        edges.append((float(best[new]), a, b))
        out[new] = False
        closer = out & (distance[new] < best)
        best[closer], nearest[closer] = distance[new][closer], new
    return edges


def _variance(covariance: Doubles, cluster: list[int]) -> float:
    """Variance of a cluster weighted by inverse variance."""
    part = covariance[np.ix_(cluster, cluster)]
    weights = 1.0 / np.diag(part)
    weights /= weights.sum()
    return float(weights @ part @ weights)
