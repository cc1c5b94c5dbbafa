# C2VL with the frames of NTU RGB+D's videos as a second prompt besides the sentences: --set
# ntu60-xsub, ntu60-xview, ntu120-xsub or ntu120-xset.
_base_ = ['c2vl_stgcn.py', '_base_/methods/frames.py']

model = dict(
    data_preprocessor=dict(targets=_base_.frames_targets), heads=dict(frames=_base_.frames_head)
)
load_frames = dict(_base_.load_frames, key='videos/{}_rgb.avi')
train_dataloader = dict(dataset=dict(pipeline=[_base_.load_prompt, load_frames, *_base_.steps]))
test_dataloader = dict(dataset=dict(pipeline=[_base_.load_mean_prompt, load_frames, *_base_.steps]))
