# The same without one set, to test on it.
_base_ = 'dtg_tsm-lite0_videos.py'

sets = [one for name, one in zip(_base_.names, _base_.sets) if name != 'utdmhad']
train_dataloader = dict(dataset=dict(datasets=sets))
