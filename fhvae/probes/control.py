"""Labels without meaning: how much of an accuracy is the probe's own memory.

Frames are sorted into clusters, and every cluster gets a phone drawn at random. A probe can
learn such labels only by heart (Hewitt and Liang, 2019). Its accuracy on the phones minus that
on these labels is its *selectivity*.
"""

import numpy as np

MIN_ROWS = 16  # per cluster, on average; a small corpus gets fewer clusters
MOST_ROWS = 20_000  # to find the clusters on
ITERATIONS = 25  # of k-means; the labels need clusters, not the best ones


def cluster_count(rows: int, most: int) -> int:
    """Give the number of clusters for that many frames, at least 2."""
    return max(2, min(most, rows // MIN_ROWS))


def control_labels(
    train_frames: np.ndarray,
    phones: np.ndarray,
    parts: tuple[np.ndarray, ...],
    clusters: int,
    random: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """Label frames by their cluster, each cluster by a phone drawn at random.

    Args:
        train_frames: `[frame, mel]`, to find the clusters.
        phones: `[row]`, labels of fitting rows; a cluster's phone is drawn as often as it
            occurs here.
        parts: frames `[row, mel]` to label.
        clusters: how many.
        random: of the sample, the first centres and the phones.

    Returns:
        Labels `[row]` for each of `parts`.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    sample = train_frames[np.sort(random.permutation(len(train_frames))[:MOST_ROWS])]
    seed = int(random.integers(2**31))
    names = random.choice(phones, size=clusters)
    model = KMeans(clusters, n_init=1, max_iter=ITERATIONS, random_state=seed)
    with threadpool_limits(1):  # sums in another order would change the last digits
        model.fit(np.asarray(sample, np.float64))
        return tuple(names[model.predict(np.asarray(part, np.float64))] for part in parts)
