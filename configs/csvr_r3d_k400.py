# CSVR on Kinetics-400 in mmaction2's layout: R3D-18, 16 frames at stride 4, 112x112, 120 epochs.
# Clip, crop, epochs and batch size follow the released settings of its nearest relative (arXiv
# 2104.00862). Poses by configs/teachers/rtmpose-t_coco.py, see docs/methods/csvr.md.
_base_ = [
    '_base_/models/csvr_r3d18.py',
    '_base_/datasets/csvr_112.py',
    '_base_/schedules/csvr_adamw.py',
    '_base_/runtime/pretrain.py',
]

data_root = '{{$MMACT_SSL_DATA:data}}/kinetics400'
train_pipeline = _base_.train_pipeline
train_pipeline[0].update(clip=dict(num_frames=16, stride=4), future=dict(num_frames=16, stride=4))
train_pipeline[1].path = f'{data_root}/targets/pose.lmdb'
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/kinetics400_train_list_videos.txt',
        data_prefix=dict(video=f'{data_root}/videos_train'),
        prepare_command='mim download mmaction2 --dataset kinetics400',
        pipeline=train_pipeline,
    )
)
