"""Search among millions of rows: by faiss among codes in memory, then exactly among the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmact_ssl.errors import DataError, import_extra
from mmact_ssl.evaluation.features import normalize
from mmact_ssl.files import writing_whole

CODE_BYTES = 64  # of a row in memory, at most; faiss adds 8 of its number
ROWS_A_LIST = 64  # to train on, drawn from all rows
PROBES = 128  # lists that a query is compared with
# Codes are coarse: of so many times the rows asked for the features themselves are compared.
CANDIDATES = 16

# Yields features (n, C) of all rows from one on, about a CHUNK at a time.
Rows = Callable[[int], Iterator[np.ndarray]]


def open_codes(path: Path, length: int, rows: Rows) -> Any:
    """Read faiss's inverted lists of product codes from a file, or train them; both bring them up.

    The square root of ``length`` lists, trained anew once the rows are 16 times as many. Memory is
    that of the codes and, in training, of the rows trained on.

    Args:
        path: File to read and write.
        length: Number of rows.
        rows: See ``Rows``.
    """
    faiss = import_extra('faiss', 'a large index', 'search')
    lists = max(int(length**0.5), 1)
    try:
        codes = faiss.read_index(str(path)) if path.is_file() else None
    except RuntimeError as error:
        raise DataError(f'{path} is damaged ({error}): delete it, it is made again') from error
    channels = _prepared(next(rows(0))[:1]).shape[1]
    if codes is not None and (not hasattr(codes, 'nlist') or codes.d != channels):
        raise DataError(f'{path} is of other features: delete it, it is made again')
    if codes is None or codes.ntotal > length or 4 * codes.nlist < lists:
        random = np.random.default_rng(0)
        share = ROWS_A_LIST * lists / length
        drawn = [part[random.random(len(part)) < share] for part in rows(0)]
        sample = _prepared(np.concatenate(drawn))
        # Not polysemous: that search by Hamming distance is not ours, and slow to train.
        name = f'IVF{lists},PQ{min(channels, CODE_BYTES)}np'
        codes = faiss.index_factory(channels, name, faiss.METRIC_INNER_PRODUCT)
        codes.train(sample)
    if codes.ntotal < length:
        for part in rows(codes.ntotal):
            codes.add(_prepared(part))
        with writing_whole(path) as file:
            faiss.write_index(codes, str(file))
    return codes


def find_candidates(codes: Any, queries: np.ndarray, top: int) -> np.ndarray:
    """Rows that may be nearest to each query, int64 (Q, n); -1 where there are no more.

    At least ``top`` of each, or all: more lists are searched for a query that finds fewer.
    """
    wanted = min(CANDIDATES * top, codes.ntotal)
    found = np.full((len(queries), wanted), -1, np.int64)
    short = np.arange(len(queries))
    codes.nprobe = min(PROBES, codes.nlist)
    while True:
        found[short] = codes.search(_prepared(queries[short]), wanted)[1]
        short = np.flatnonzero((found >= 0).sum(axis=1) < min(top, codes.ntotal))
        if not len(short) or codes.nprobe == codes.nlist:
            return found
        codes.nprobe = min(4 * codes.nprobe, codes.nlist)


def _prepared(features: np.ndarray) -> np.ndarray:
    """Unit rows, float32, filled up with zeros to a multiple of the bytes of a code."""
    unit = normalize(features).astype(np.float32)
    return np.pad(unit, ((0, 0), (0, -unit.shape[1] % min(unit.shape[1], CODE_BYTES))))
