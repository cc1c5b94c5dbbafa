"""Install the OpenMMLab packages that teachers need: mmpose, mmdet, mmpretrain, mmsegmentation.

    mmact-ssl setup openmmlab

pip installs them without two declared requirements that are never imported and do not install on
every Python (chumpy, xtcocotools), and only from wheels. Installed packages such as torch, mmcv and
numpy stay at their versions. Without any mmcv, mmcv-lite is installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path

PACKAGES = ('mmpose>=1.3.2,<2', 'mmdet>=3.3,<4', 'mmpretrain>=1.2,<2', 'mmsegmentation>=1.2.2,<2')

# Never imported by mmpose, or replaced by pycocotools in mmact_ssl/upstream/.
NOT_NEEDED = ('chumpy', 'xtcocotools')

# mmsegmentation imports the first two and mmpose the last one without declaring them.
UNDECLARED = ('ftfy', 'regex', 'pycocotools')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('what', choices=['openmmlab'])
    parser.add_argument('-c', '--constraint', action='append', default=[], metavar='FILE')
    parser.add_argument('-q', '--quiet', action='store_true')
    args = parser.parse_args()
    options = [option for path in args.constraint for option in ('-c', path)]
    try:
        install_openmmlab([*options, *(['-q'] if args.quiet else [])])
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None


def installed(name: str) -> bool:
    """True if a distribution is installed."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def missing_requirements() -> list[str]:
    """Requirements of :data:`PACKAGES`, declared or not, that are not installed."""
    from packaging.requirements import Requirement

    names = [Requirement(package).name for package in PACKAGES]
    declared = [Requirement(line) for name in names for line in requires(name) or []]
    needed = {
        item.name: str(item)
        for item in [*declared, *map(Requirement, UNDECLARED)]
        if item.name not in NOT_NEEDED and (item.marker is None or item.marker.evaluate())
    }
    return [line for name, line in needed.items() if not installed(name)]


def install_openmmlab(options: list[str]) -> None:
    """Install :data:`PACKAGES` and their requirements; ``options`` are passed to pip."""
    pip = [sys.executable, '-m', 'pip', 'install', '--no-warn-conflicts', '--only-binary', ':all:']
    pip += options
    frozen = [f'{item.name}=={item.version}' for item in distributions()]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, 'installed.txt')
        constraints.write_text('\n'.join(frozen))
        stay = ['-c', str(constraints)]
        if not installed('mmcv') and not installed('mmcv-lite'):
            subprocess.run([*pip, *stay, 'mmcv-lite>=2.0,<2.2'], check=True)
        subprocess.run([*pip, '--no-deps', *PACKAGES], check=True)
        if missing := missing_requirements():
            subprocess.run([*pip, *stay, *missing], check=True)


if __name__ == '__main__':
    main()
