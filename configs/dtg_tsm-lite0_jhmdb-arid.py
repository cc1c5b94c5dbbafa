# DTG-Net on two sets of unlabeled video at once, JHMDB and ARID, each with its own target caches.
_base_ = 'dtg_tsm-lite0_jhmdb.py'

arid_root = '{{$MMACT_SSL_DATA:data}}/arid'
jhmdb = _base_.train_dataloader.dataset
arid = dict(
    jhmdb,
    ann_file=f'{arid_root}/train.txt',
    data_prefix=dict(video=arid_root),
    prepare_command='python tools/prepare_data.py videos --source DIR --out data/arid',
)
train_dataloader = dict(
    dataset=dict(_delete_=True, type='mmengine.ConcatDataset', datasets=[jhmdb, arid])
)
