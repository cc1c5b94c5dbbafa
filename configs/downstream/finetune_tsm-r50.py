_base_ = ['linear_tsm-r50.py', '../_base_/schedules/finetune_r3d18.py']
