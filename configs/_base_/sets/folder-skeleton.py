# A prepared folder of your own skeletons, from --data DIR.
_base_ = 'folder.py'

folder = _base_.own_folder
encoder_options = dict(
    layout=folder.layout,
    persons=folder.num_persons,
    coordinates=folder.num_coordinates,
    longest=folder.num_frames,
)

lists = dict(data_prefix=dict(skeleton=folder.root), prepare_command=folder.prepare_command)
train_set = dict(_delete_=True, ann_file=folder.train, **lists)
test_set = dict(train_set, ann_file=folder.test, prepare_command=folder.test_command)
# Of the contrast of two views and of C2VL: small sets get smaller batches and more epochs.
few_clips = folder.num_train < 500
pretrain_epochs = max(120, 40_000 // folder.num_train)
