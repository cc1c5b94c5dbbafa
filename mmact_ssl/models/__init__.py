"""Students, pretext heads, teachers; importing this registers them all."""

from mmact_ssl.registry import import_submodules

# Nothing is listed by hand: a new head, loss or backbone is one new file.
import_submodules(__name__, __path__)
