"""A training run of seconds, as the engine's tests make it."""

from tests.test_engine.conftest import make_runner  # noqa: F401
