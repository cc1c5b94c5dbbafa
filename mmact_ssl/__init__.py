"""Self-supervised pre-training of video and skeleton models on OpenMMLab."""

from mmact_ssl.compat import apply_fixes, check_versions, silence_upstream
from mmact_ssl.version import __version__

# The order matters: the fixes let mmcv and mmaction2 be imported at all, the check reads versions.
check_versions()
apply_fixes()
silence_upstream()

__all__ = ['__version__']
