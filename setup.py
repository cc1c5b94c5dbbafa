"""Install mmact_ssl: the package, its configs and its command-line tools."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


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
    """Read the long description, if there is one yet."""
    readme = ROOT / 'README.md'
    return readme.read_text() if readme.is_file() else ''


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
        'onnx': read_requirements('onnx'),
        'tensorboard': read_requirements('tensorboard'),
        'tests': read_requirements('tests'),
        'cpu': read_requirements('cpu'),
        'all': read_requirements('onnx') + read_requirements('tensorboard'),
    },
    classifiers=[
        'Development Status :: 4 - Beta',
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
