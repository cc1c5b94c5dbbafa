"""Checks of the machine and the environment, before anything else runs.

``python3 mmact_ssl/preflight.py --install FOLDER`` runs before a download, on any Python since 3.6
and without any package; ``import mmact_ssl`` calls :func:`check_environment`. Each error is one
line: the fault and the fix.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile

# As requires-python in pyproject.toml, which cannot be read before the installation.
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)

# Architectures with wheels of torch.
MACHINES = ('x86_64', 'aarch64')

# GB of an installation with the CPU build of torch, and with its CUDA build.
CPU_SIZE, CUDA_SIZE = 3, 9

# Distributions that hold the same modules.
SAME_MODULES = {
    'mmcv-lite': ('mmcv',),
    'mmengine': ('mmengine-lite',),
    'opencv-python': (
        'opencv-python-headless',
        'opencv-contrib-python',
        'opencv-contrib-python-headless',
    ),
}


def check_machine() -> None:
    """Check the system, Python's version and the machine's architecture.

    Raises:
        ImportError: Nothing of this package can work here.
    """
    if sys.platform != 'linux':
        raise ImportError(
            f'mmact_ssl needs Linux, this is {platform.platform(terse=True)}: take a machine with '
            'Linux, or on Windows its Linux (WSL 2)'
        )
    oldest, newest = ('.'.join(map(str, v)) for v in (OLDEST_PYTHON, NEWEST_PYTHON))
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        raise ImportError(
            f'mmact_ssl needs Python {oldest} to {newest}, {sys.executable} is '
            f'{platform.python_version()}: take another one, make install PYTHON=python3.12'
        )
    if platform.machine() not in MACHINES or sys.maxsize < 2**32:
        bits = 64 if sys.maxsize > 2**32 else 32
        raise ImportError(
            f'mmact_ssl needs torch, which has no build for {platform.machine()} and {bits} bits: '
            f'take a 64-bit machine and Python, of {" or ".join(MACHINES)}'
        )
    if platform.libc_ver()[0] != 'glibc':
        raise ImportError(
            'mmact_ssl needs torch, which has no build for a Linux without glibc, such as Alpine: '
            'take Debian, Ubuntu or Fedora'
        )


def check_space(folder: str) -> None:
    """Check that an installation into ``folder`` fits the disk.

    Raises:
        ImportError: The disk of the folder, or the one for temporary files, is too full.
    """
    for place in (os.path.abspath(folder), tempfile.gettempdir()):
        while not os.path.exists(place):
            place = os.path.dirname(place)
        free = shutil.disk_usage(place).free / 1e9
        if free < CPU_SIZE:
            raise ImportError(
                f'{place} has {free:.1f} GB free, an installation takes {CPU_SIZE} GB, and '
                f"{CUDA_SIZE} GB with torch's CUDA build: make room, or set TMPDIR if it is the "
                'folder for temporary files'
            )
        if free < CUDA_SIZE:
            print(
                f"note: {place} has {free:.1f} GB free, which is too little for torch's CUDA "
                f'build ({CUDA_SIZE} GB) and enough for its CPU build',
                file=sys.stderr,
            )


def check_venv() -> None:
    """Check that this Python can make virtual environments.

    Raises:
        ImportError: Debian's package for it is missing.
    """
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise ImportError(f'{sys.executable} has no venv: apt install python3-venv') from None


def check_environment() -> None:
    """Check the machine and the versions of all required packages, without importing them.

    The ranges come from the installed metadata of mmact_ssl. A copy that is not installed has no
    metadata: then only mmcv is checked.

    Raises:
        ImportError: Something is missing, of another version, or installed twice.
    """
    check_machine()
    from importlib.metadata import PackageNotFoundError, requires

    if version_of('mmcv') and version_of('mmcv-lite'):
        raise ImportError(
            'mmcv and mmcv-lite are both installed, in one folder: pip uninstall -y mmcv '
            'mmcv-lite, then install one of them'
        )
    try:
        declared = requires('mmact_ssl') or []
    except PackageNotFoundError:
        declared = []
    for requirement in declared:
        name, _, marker = requirement.partition(';')
        if not marker or 'mmcv-lite' in name:
            check_requirement(name.strip())
    check_opencv()


def check_requirement(requirement: str) -> None:
    """Check one requirement, such as ``numpy<3,>=1.26``, against what is installed.

    Raises:
        ImportError: It is not installed, or of a version outside the range.
    """
    try:
        from packaging.requirements import Requirement
    except ImportError:
        raise ImportError('mmact_ssl needs packaging: pip install packaging') from None

    parsed = Requirement(requirement)
    names = (parsed.name, *SAME_MODULES.get(parsed.name, ()))
    versions = [(name, version_of(name)) for name in names]
    installed = [(name, version) for name, version in versions if version]
    name, version = installed[0] if installed else (parsed.name, '')
    if version and parsed.specifier.contains(version, prereleases=True):
        return
    state = f'{name} {version} is installed' if version else 'it is not installed'
    raise ImportError(f"mmact_ssl needs {requirement}, {state}: pip install '{requirement}'")


def check_opencv() -> None:
    """Check that OpenCV finds the system's libraries for windows, which servers often lack.

    Raises:
        ImportError: It does not; OpenCV's headless build needs none of these libraries.
    """
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'cv2 cannot be imported ({error}): pip install --no-deps --force-reinstall '
            'opencv-python-headless'
        ) from None


def version_of(distribution: str) -> str:
    """Version of an installed distribution; '' if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ''


def main() -> None:
    """Check a machine before an installation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--install', metavar='FOLDER', required=True, help='folder to install into')
    folder = parser.parse_args().install
    try:
        check_machine()
        check_venv()
        check_space(folder)
    except ImportError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
