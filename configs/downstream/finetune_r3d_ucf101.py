_base_ = ['linear_r3d_ucf101.py', '../_base_/schedules/finetune_r3d18.py']
