"""Install mmact_ssl: the package, its configs and its command-line tools.

mmact_ssl/.mim, where mim and the tools look for configs and tools, holds links to them in a
checkout and the files themselves in a wheel.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


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


class BuildWithAddress(build_py):
    """Build the package, with whole addresses of the models where ``ZOO_URL`` is set.

    mim downloads from such alone.
    """

    def run(self) -> None:
        super().run()
        if url := os.environ.get('ZOO_URL', '').rstrip('/'):
            index = Path(self.build_lib, 'mmact_ssl/.mim/model-index.yml')
            index.write_text(index.read_text().replace('Weights: zoo/', f'Weights: {url}/'))


setup(
    name='mmact_ssl',
    version=read_version(),
    description='Self-supervised pre-training of video and skeleton models on OpenMMLab',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='self-supervised learning, video, action recognition, skeleton, OpenMMLab',
    author='mmact_ssl contributors',
    packages=find_packages(include=['mmact_ssl', 'mmact_ssl.*']),
    cmdclass={'build_py': BuildWithAddress},
    py_modules=['mmact_ssl_cli'],
    entry_points={'console_scripts': ['mmact-ssl=mmact_ssl_cli:main']},
    include_package_data=True,
    python_requires='>=3.9',
    install_requires=read_requirements('runtime'),
    extras_require={
        'cpu': read_requirements('cpu'),
        'docs': read_requirements('docs'),
        'onnx': read_requirements('onnx'),
        'teachers': read_requirements('teachers'),
        'text': read_requirements('text'),
        'search': read_requirements('search'),
        'shards': read_requirements('shards'),
        'tensorboard': read_requirements('tensorboard'),
        'tests': read_requirements('tests'),
        # What a user may want beside training; text and onnx are parts of teachers.
        'all': [
            line
            for name in ('teachers', 'search', 'shards', 'tensorboard')
            for line in read_requirements(name)
        ],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    zip_safe=False,
)
