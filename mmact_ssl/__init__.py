"""Self-supervised pre-training of video and skeleton models on OpenMMLab."""

# ruff: noqa: E402
# The order matters: the check comes before the fixes, which import the checked packages, and the
# fixes come before any import of mmcv and mmaction2.
from mmact_ssl.preflight import check_environment

check_environment()

from mmact_ssl.compat import apply_fixes, silence_upstream
from mmact_ssl.shipped_configs import register_config_names
from mmact_ssl.version import __version__

apply_fixes()
silence_upstream()
register_config_names()

__all__ = ['__version__']
