_base_ = ['linear_tsm-r50_ucf101.py', '../_base_/schedules/finetune_r3d18.py']
