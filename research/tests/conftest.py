"""Fixtures of the package's tests."""

from __future__ import annotations

from tests.conftest import (  # noqa: F401
    data_of_methods,
    exact_convolutions,
    freeze_imports,
    labeled_world,
    linear_config,
    made_data,
    make_result,
    make_runner,
    make_video,
    no_globals,
    on_cpu,
    publish,
    student_checkpoint,
    video_encoder,
)
from tests.test_configs.conftest import train  # noqa: F401
from tests.test_datasets.test_transforms.test_skeleton.conftest import make_sample  # noqa: F401
