"""Pretext heads, one per file; :func:`mmact_ssl.registry.import_submodules` finds them."""

from mmact_ssl.models.heads.pretext_head import PretextHead
from mmact_ssl.models.heads.terms import Term

__all__ = ['PretextHead', 'Term']
