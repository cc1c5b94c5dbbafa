"""Steps of mmengine's runners that take longer than the trainings of tests."""

import functools

import mmengine.config.config
import mmengine.runner.runner

import mmact_ssl  # noqa: F401  the fixes


def spare_upstream() -> None:
    """Leave the text of a config as it is, and ask for the versions of programs once.

    A runner formats its config four times, a second each, and starts programs to ask them.
    """
    mmengine.config.config.FormatCode = lambda text, **_: (text, False)
    mmengine.runner.runner.collect_env = functools.cache(mmengine.runner.runner.collect_env)
