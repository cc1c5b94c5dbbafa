"""Fixes of torch and torchvision on a machine without a GPU."""

from __future__ import annotations

import sys

import torch

from .packages import ignore, package_root

# Holds the schemas that fix_torchvision_operators declared: they vanish with the object.
_libraries: list[torch.library.Library] = []


def fix_torchvision_operators() -> bool:
    """Declare ``torchvision::nms`` and ``qnms`` where torchvision's own library cannot load.

    torchvision's wheel is linked to CUDA. Beside a CPU build of torch its library does not load,
    and ``import torchvision`` fails with "operator torchvision::nms does not exist". With the
    schemas declared, models and transforms work; nms raises when it is called.
    """
    if 'torchvision' in sys.modules or _libraries:
        return False
    if torch.version.cuda is not None or not _torchvision_needs_cuda():
        return False
    library = torch.library.Library('torchvision', 'DEF')
    library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    _libraries.append(library)
    return True


def _torchvision_needs_cuda() -> bool:
    """True if the library of torchvision's operators is linked to CUDA."""
    root = package_root('torchvision')
    libraries = sorted(root.glob('_C*.so')) if root is not None else []
    return any(b'libtorch_cuda.so' in library.read_bytes() for library in libraries)


def fix_cuda_set_device() -> bool:
    """Make ``torch.cuda.set_device`` do nothing on a machine without a CUDA device.

    mmengine's launcher calls it for every backend, which breaks a gloo launch on a CPU.
    """
    # device_count asks NVML and, unlike is_available, never initializes CUDA before a fork.
    if torch.cuda.device_count() > 0 or torch.cuda.set_device is ignore:
        return False
    torch.cuda.set_device = ignore
    return True
