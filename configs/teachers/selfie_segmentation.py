"""MediaPipe's selfie segmentation (Google, Apache-2.0), converted to ONNX: the person's mask.

Put the file at data/teachers/selfie_segmentation_256.onnx, see docs/extend/teacher_entries.md. A
quarter of the network's resolution is kept, which is finer than any student's map (our choice).
Letterboxed rather than stretched: on 21 frames of JHMDB 87 % of MoveNet's confident joints lie on
the mask, against 72 %.
"""

teacher = dict(
    type='OnnxTeacher',
    model='{{$MMACT_SSL_DATA:data}}/teachers/selfie_segmentation_256.onnx',
    input_size=256,
    map_size=64,
)
