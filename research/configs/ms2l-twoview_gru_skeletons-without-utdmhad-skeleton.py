# The same without one set, to test on it.
_base_ = 'ms2l-twoview_gru_skeletons.py'

sets = [one for name, one in zip(_base_.names, _base_.sets) if name != 'utdmhad-skeleton']
train_dataloader = dict(dataset=dict(datasets=sets))
