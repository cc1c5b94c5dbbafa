"""Hooks of the training loop; importing the package registers all of them."""

from mmact_ssl.registry import import_submodules

import_submodules(__name__, __path__)
