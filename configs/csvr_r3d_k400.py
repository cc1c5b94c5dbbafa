# CSVR on Kinetics-400 in mmaction2's layout: R3D-18, 16 frames at stride 4, 112x112, 120 epochs.
# Clip, crop, epochs and batch size follow the released settings of its nearest relative (arXiv
# 2104.00862). Poses by configs/teachers/rtmpose-t_coco.py, see docs/methods/csvr.md.
_base_ = 'csvr_r3d.py'

encoder = dict(options=dict(stride=4))
clip = dict(num_frames='$frames', stride='$stride')
sample_views = dict(_base_.sample_views, clip=clip, future=clip)
train_dataloader = dict(
    dataset=dict(pipeline=[sample_views, _base_.load_poses, *_base_.make_views])
)
