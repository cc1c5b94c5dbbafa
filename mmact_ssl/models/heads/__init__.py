"""Pretext heads, one per file; :func:`mmact_ssl.registry.import_submodules` finds them."""

from .pretext_head import PretextHead
from .terms import Term

__all__ = ['PretextHead', 'Term']
