"""The size of a unit: about a minute of one worker's time, measured on the first documents."""

from __future__ import annotations

import time

from pofx.arithmetic import one_thread
from pofx.corpus.source import source_of
from pofx.jobs.job import Job
from pofx.queries.scoring.stream import blocks

# What is lost when a worker dies is at most one unit. A start of a worker takes some seconds, and a commit milliseconds.
SECONDS = 60.0
# The measurement ends after the first block that is answered so many seconds after the start.
MEASURED = 2.0
# Larger units save nothing. Smaller ones make more files than a directory shows at a glance.
LEAST, MOST = 1 << 16, 1 << 28
# Each worker has at least so many units, so that all of them end at about the same time.
EACH = 4


def unit_bytes(job: Job, workers: int) -> int:
    """Return the size of a unit, bytes: a power of two, so that runs of about equal speed have the same units.

    The size is the bytes that one worker reads in `SECONDS`, or fewer, so that each worker has `EACH` units.

    Args:
        job: The job, which answers its first documents for about `MEASURED` seconds.
        workers: How many processes do the units.

    Returns:
        The size, from `LEAST` to `MOST` bytes.

    Raises:
        BadSource: A file cannot be read.
    """
    query, size = job.rows.bind(job.lm), job.rows.block_size(job.lm)
    started, n_bytes = time.monotonic(), 0
    with one_thread():
        for block in blocks(job.documents.items(), job.documents.ask, size, 0):
            block.answers(query)
            n_bytes += sum(len(getattr(i, "text", "").encode("utf-8")) for i in block.items)
            if time.monotonic() - started >= MEASURED:
                break
    seconds = max(time.monotonic() - started, 1e-9)
    total = sum(source_of(f, job.documents.reading.format).size for f in job.documents.files)
    want = min(SECONDS * n_bytes / seconds, total / (EACH * workers), float(MOST))
    return max(LEAST, 1 << max(0, int(want).bit_length() - 1))
