"""Results that the tables do not mark as early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmact_ssl.evaluation.protocols import PROTOCOLS, version_of
from mmact_ssl.evaluation.results import Result


@pytest.fixture(scope='session')
def make_result(make_result: Callable[..., Result]) -> Callable[..., Result]:
    """Makes a result of today's version for videos, apart from what is given."""

    def make(value: float = 0.5, **changes: Any) -> Result:
        protocol = changes.get('protocol', 'linear')
        version = version_of(protocol, 'video') if protocol in PROTOCOLS else 1
        return make_result(value, **{'version': version, **changes})

    return make
