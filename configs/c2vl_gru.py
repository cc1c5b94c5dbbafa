# C2VL on your own skeletons (--data DIR), with sentences about them in targets/prompts.lmdb: from
# the joints' motion, unless you have others (docs/extend/sentences.md).
_base_ = [
    '_base_/sets/folder-skeleton.py',
    '_base_/students/gru-streams.py',
    '_base_/methods/c2vl-streams.py',
]

model = dict(backbone=dict(_base_.backbone, encoder=dict(_base_.encoder, **_base_.bodies)))
few = _base_.own_folder.num_train < 500
train_dataloader = dict(batch_size=64 if few else 128, dataset=_base_.train_set)
test_dataloader = dict(dataset=_base_.test_set)
# Small sets get more epochs, for enough steps.
epochs = max(120, 40_000 // _base_.own_folder.num_train)
train_cfg = dict(max_epochs=epochs)
param_scheduler = [_base_.warmup, dict(_base_.cosine, end=epochs)]
