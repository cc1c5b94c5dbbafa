"""Export of an encoder to ONNX, which onnxruntime runs without this package."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmact_ssl import __version__
from mmact_ssl.datasets import frame_conversion
from mmact_ssl.encoders.encoder import Encoder
from mmact_ssl.errors import ConfigError, import_extra, reason_of
from mmact_ssl.io.checkpoint_file import CARD_KEY, ONNX
from mmact_ssl.io.files import write_atomically
from mmact_ssl.io.records import Card
from mmact_ssl.io.student_file import find_value
from mmact_ssl.models.encoding import shift_length
from mmact_ssl.models.skeletons import find_layout

CLIP_KEY, LAYOUT_KEY = 'mmact_ssl_clip', 'mmact_ssl_layout'
# Reads a clip for the file without this package.
READER = Path(__file__).with_name('onnx_features.py')
INPUT, OUTPUT = 'inputs', 'features'
OPSET = 17  # not the newest, so that older runtimes read the file
TOLERANCE = 1e-4  # of features, times the largest of them if that is above 1
SKELETON_FRAMES = 16  # length of the traced skeletons; another length is compared


class FeatureGraph(nn.Module):
    """Module from a normalized batch to its features, see :func:`encode`."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.backbone = encoder.backbone  # the exporter looks for weights in modules
        self.shift_length = shift_length(encoder.backbone)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, num_clips, ...)`` to ``(B, C)``."""
        if self.shift_length > 1:
            # Raises an error for frames that are not whole clips, see check_whole_clips.
            shape = inputs.shape
            clips = inputs.reshape(shape[0], -1, self.shift_length, *shape[2:])
            inputs = clips.flatten(1, 2)
        return self.encoder.encode(inputs)


def reader_text() -> str:
    """``onnx_features.py`` with the conversion of frames instead of its import, to work alone."""
    head, _, rest = READER.read_text(encoding='utf-8').partition('from mmact_ssl.')
    conversion = Path(frame_conversion.__file__).read_text(encoding='utf-8')
    return head + conversion.partition('import numpy as np\n')[2] + rest.partition('\n')[2]


def export_onnx(encoder: Encoder, card: Card, folder: Path) -> Path:
    """Write an encoder as ``<name>-<8 digits of sha256>.onnx``, and compare it with torch.

    The graph takes a normalized batch ``(B, num_clips, 3, T, H, W)``, for 2D networks frames
    ``(B, T, 3, H, W)``, or skeletons ``(B, num_clips, M, T, V, C)``; B, num_clips and T are free,
    but T is that of a backbone with ``num_frames``. It detects the padding of skeletons, see
    :func:`valid_frames`. The file's metadata contains the card, the transforms of a clip with the
    mean and deviation of a picture and, for skeletons, names and parents of the joints: what
    ``onnx_features.py`` beside it reads.

    Raises:
        ConfigError: onnx or onnxruntime is not installed, torch cannot export the network, or the
            exported features differ from torch's.
    """
    onnx = import_extra('onnx', '--format onnx', 'onnx')
    card = replace(
        card, precision='float32', text_encoder='', text_fingerprint='', version=__version__
    )
    config = encoder.config
    if config.motion is not None:
        raise ConfigError(f'{config.source}: OpenCV computes its motion, which ONNX cannot')
    first, second = map(torch.from_numpy, example_inputs(encoder))
    print_log(f'{card.name}: exporting to ONNX', 'current')
    written = onnx.load_model_from_string(_trace(FeatureGraph(encoder).eval(), first, card.name))
    picture = {key: config.preprocessor.get(key) for key in ('mean', 'std')}
    clip = json.dumps({'transforms': config.clip, **picture})
    metadata = {CARD_KEY: card.to_json(), CLIP_KEY: clip}
    if config.layout:
        skeleton = find_layout(config.layout)
        metadata[LAYOUT_KEY] = json.dumps(dict(names=skeleton.names, parents=skeleton.parents))
    onnx.helper.set_model_props(written, metadata)
    content = written.SerializeToString(deterministic=True)
    print_log(f'{card.name}: comparing with torch', 'current')
    try:
        compare(encoder, content, second)
    except Exception as error:  # networks refuse other lengths with almost any error
        raise ConfigError(f'{card.name} cannot be an ONNX file: {reason_of(error)}') from error
    path = folder / f'{card.name}-{sha256(content).hexdigest()[:8]}{ONNX}'
    write_atomically(path, content)
    write_atomically(folder / READER.name, reader_text())
    return path


def example_inputs(encoder: Encoder) -> Iterator[np.ndarray]:
    """Yield two random normalized batches of other sizes, clips and lengths, float32.

    Each skeleton ends in padding of a different length.
    """
    random = np.random.default_rng(0)
    config = encoder.config
    sizes = ((2, 2, 1.0), (3, 1, 0.5))  # samples, clips, length
    if config.is_skeleton:
        streams = find_value(config.backbone, 'num_streams') or 1
        values = streams * (find_value(config.backbone, 'in_channels') or 3)
        persons = find_value(config.clip, 'num_person') or 1
        joints = (find_layout(config.layout).num_joints, values)
        for batch, clips, scale in sizes:
            frames = int(SKELETON_FRAMES * scale)
            shape = (batch, clips, persons, frames, *joints)
            inputs = random.normal(size=shape).astype(np.float32)
            for number in range(batch):
                inputs[number, :, :, frames - number :] = 0
            yield inputs
        return
    frames = find_value(config.clip, 'clip_len') or 1
    is_fixed = bool(getattr(encoder.backbone, 'num_frames', None))
    side = find_value(config.clip, 'crop_size')
    if side is None:
        raise ConfigError(f'{config.source}: its clip crops no fixed size')
    size = tuple(side) if isinstance(side, (tuple, list)) else (side, side)
    for batch, clips, scale in sizes:
        length = frames if is_fixed else max(int(frames * scale), 1)
        shape = (batch, clips, 3, length, *size[::-1])
        if config.preprocessor.get('format_shape') == 'NCHW':
            segments = shift_length(encoder.backbone)
            shape = (batch, segments * max(int(2 * scale), 1), 3, *size[::-1])
        yield random.normal(size=shape).astype(np.float32)


def _trace(graph: FeatureGraph, inputs: Tensor, name: str) -> bytes:
    """Trace the graph with torch's exporter, and return the content of its file."""
    # T is axis 3 of clips and skeletons, axis 1 of frames.
    axes = {0: 'batch', 1: 'frames'} if inputs.ndim == 5 else {0: 'batch', 1: 'clips', 3: 'frames'}
    if getattr(graph.backbone, 'num_frames', None):
        del axes[3]
    try:
        # Its warnings about constants are covered by the comparison with torch.
        with TemporaryDirectory() as folder, torch.no_grad(), _quiet():
            file = Path(folder, 'graph.onnx')
            torch.onnx.export(
                graph,
                (inputs,),
                str(file),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: axes, OUTPUT: {0: 'batch'}},
                opset_version=OPSET,
                dynamo=False,  # the newer exporter cannot write a GRU for any number of frames
            )
            return file.read_bytes()
    except Exception as error:  # the exporter's errors have no public base class
        raise ConfigError(
            f'{name} cannot be an ONNX file, torch {torch.__version__} does not write it: '
            f'{reason_of(error)}'
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings, and the output of native code."""
    sys.stdout.flush()
    saved = {number: os.dup(number) for number in (1, 2)}
    try:
        with open(os.devnull, 'wb') as nowhere, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            for number in saved:
                os.dup2(nowhere.fileno(), number)
            yield
    finally:
        sys.stdout.flush()
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def compare(encoder: Encoder, content: bytes, inputs: Tensor) -> None:
    """Raise ValueError if the features of onnxruntime and torch differ on a batch."""
    onnxruntime = import_extra('onnxruntime', '--format onnx', 'onnx')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised, too
    session = onnxruntime.InferenceSession(content, options, ['CPUExecutionProvider'])
    (exported,) = session.run([OUTPUT], {INPUT: inputs.numpy()})
    with torch.no_grad():
        expected = encoder.encode(inputs)
    difference = (torch.from_numpy(exported) - expected).abs().max().item()
    if not difference <= TOLERANCE * max(1.0, expected.abs().max().item()):
        raise ValueError(
            f'for inputs {list(inputs.shape)} the features of onnxruntime differ from '
            f"torch's by {difference:.2g}"
        )
