"""Build the package; everything else about it is in pyproject.toml.

mmact_ssl/.mim, where mim and the tools look for configs and tools, holds links to them in a
checkout and the files themselves in a wheel.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithAddress(build_py):
    """Build the package, with whole addresses of the models where ``ZOO_URL`` is set.

    mim downloads from such alone.
    """

    def run(self) -> None:
        super().run()
        if url := os.environ.get('ZOO_URL', '').rstrip('/'):
            index = Path(self.build_lib, 'mmact_ssl/.mim/model-index.yml')
            index.write_text(index.read_text().replace('Weights: zoo/', f'Weights: {url}/'))


setup(cmdclass={'build_py': BuildWithAddress})
