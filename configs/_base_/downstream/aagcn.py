# AAGCN in mmaction2's recognizer of skeletons.
_base_ = ['../students/aagcn.py', 'skeleton.py']

model = dict(backbone=_base_.backbone, cls_head=dict(in_channels=256))
# Graph networks would read padding: every clip in 64 frames.
resample = dict(type='ResampleFrames', num_frames=64)
