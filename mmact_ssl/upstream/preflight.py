"""Check of a machine before an installation: ``python3 mmact_ssl/upstream/preflight.py FOLDER``.

It runs on any Python since 3.6, without any package, and ends with one line: the fault and the fix.
"""

import os
import platform
import shutil
import sys
import tempfile

# As requires-python in pyproject.toml, which cannot be read before the installation.
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)
# GB of an installation with the CPU build of torch, and with its CUDA build.
CPU_SIZE, CUDA_SIZE = 3, 9


def find_problem(folder):
    """Fault and fix of this machine for an installation into ``folder``; '' if it fits."""
    if sys.platform != 'linux':
        return 'mmact_ssl needs Linux: take a machine with it, or on Windows its Linux (WSL 2)'
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        oldest, newest = ('.'.join(map(str, v)) for v in (OLDEST_PYTHON, NEWEST_PYTHON))
        return (
            f'mmact_ssl needs Python {oldest} to {newest}, {sys.executable} is '
            f'{platform.python_version()}: take another one, make install PYTHON=python3.12'
        )
    for place in (os.path.dirname(os.path.abspath(folder)), tempfile.gettempdir()):
        free = shutil.disk_usage(place).free / 1e9
        if free < CPU_SIZE:
            return (
                f'{place} has {free:.1f} GB free, an installation takes {CPU_SIZE} GB, and '
                f"{CUDA_SIZE} GB with torch's CUDA build: make room, or set TMPDIR to another disk"
            )
    return ''


if __name__ == '__main__':
    problem = find_problem(sys.argv[1])
    if problem:
        raise SystemExit(f'error: {problem}')
