"""Self-supervised pre-training of video and skeleton models on OpenMMLab."""

# ruff: noqa: E402
# The fixes come before any import of mmengine, mmcv and mmaction2.
from mmact_ssl.upstream import apply_fixes

apply_fixes()

from mmact_ssl.configs.shipped_configs import shipped_config
from mmact_ssl.io.checkpoint_file import load_checkpoint_safely
from mmact_ssl.io.weights import load_from_http
from mmact_ssl.upstream.mmengine_fixes import fix_checkpoint_loading, fix_config_names
from mmact_ssl.version import __version__

fix_checkpoint_loading(load_checkpoint_safely, load_from_http)
fix_config_names(shipped_config)

__all__ = ['__version__']
