# A frozen network of Hugging Face's transformers: VideoMAE, V-JEPA 2, TimeSformer, ViViT, and
# DINOv2, CLIP and SigLIP frame by frame. `model` is a folder or a name of the hub; the sizes, the
# normalization and, with frames=0, the length of a clip are those of its own files.
#
#     mmact-ssl evaluate linear,knn --encoder hf-video,model=FOLDER --data data/mine --random
_base_ = '../_base_/encoders/clips.py'

encoder = dict(
    name='hf-video',
    options=dict(_delete_=True, model='', frames=0, stride=4),
    backbone=dict(type='mmact_ssl.TransformersNetwork', model='$folder', frames='$frames'),
    channels='$channels',
    preprocessor=dict(mean=None, std=None),
    clip=[
        *_base_.encoder.clip[:2],
        dict(type='mmact_ssl.DecodeFrames', short_side=None),
        dict(type='mmact_ssl.ProcessFrames', folder='$folder'),
        dict(type='mmaction.PackActionInputs'),
    ],
    finetune=dict(
        clip=[
            *_base_.encoder.finetune.clip[:2],
            dict(type='mmact_ssl.DecodeFrames', short_side=None),
            '$crop',
            dict(type='mmaction.Flip', flip_ratio='$flip_ratio'),
            dict(type='mmact_ssl.ProcessFrames', folder='$folder'),
            dict(type='mmaction.PackActionInputs'),
        ],
    ),
)
