"""Install mmact_ssl: the package, its configs and its command-line tools."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
# What mim looks for inside an installed package.
MIM_EXTENSION = ('configs', 'tools', 'zoo', 'model-index.yml')


def read_requirements(name: str) -> list[str]:
    """Read requirements/<name>.txt without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def read_version() -> str:
    """Read the version without importing the package, which needs its dependencies."""
    scope: dict[str, str] = {}
    exec((ROOT / 'mmact_ssl' / 'version.py').read_text(), scope)
    return scope['__version__']


def read_readme() -> str:
    """Read the long description; there is none in a copy of the package alone."""
    readme = ROOT / 'README.md'
    return readme.read_text() if readme.is_file() else ''


def copy_mim_extension() -> None:
    """Copy configs, tools and models into the package, so that mim can use an installed one.

    An sdist holds the copy and not the originals: building a wheel from it keeps the copy. mim
    downloads from whole addresses alone: ``ZOO_URL`` in the environment is where the models lie.
    """
    target = ROOT / 'mmact_ssl' / '.mim'
    sources = [ROOT / name for name in MIM_EXTENSION if (ROOT / name).exists()]
    if not sources:
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for source in sources:
        if source.is_dir():
            ignore = shutil.ignore_patterns('__pycache__')
            shutil.copytree(source, target / source.name, ignore=ignore)
        else:
            shutil.copy(source, target / source.name)
    if os.environ.get('ZOO_URL'):
        index = target / 'model-index.yml'
        url = os.environ['ZOO_URL'].rstrip('/')
        index.write_text(index.read_text().replace('Weights: zoo/', f'Weights: {url}/'))


# An editable install reads configs/ and tools/ where they are; a copy would only go stale.
if {'sdist', 'bdist_wheel'} & set(sys.argv):
    copy_mim_extension()

setup(
    name='mmact_ssl',
    version=read_version(),
    description='Self-supervised pre-training of video and skeleton models on OpenMMLab',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='self-supervised learning, video, action recognition, skeleton, OpenMMLab',
    packages=find_packages(include=['mmact_ssl', 'mmact_ssl.*']),
    include_package_data=True,
    python_requires='>=3.9',
    install_requires=read_requirements('runtime'),
    extras_require={
        'cpu': read_requirements('cpu'),
        'onnx': read_requirements('onnx'),
        'teachers': read_requirements('teachers'),
        'search': read_requirements('search'),
        'tensorboard': read_requirements('tensorboard'),
        'tests': read_requirements('tests'),
        'all': read_requirements('teachers') + read_requirements('tensorboard'),
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    zip_safe=False,
)
