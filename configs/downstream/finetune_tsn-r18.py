_base_ = ['linear_tsn-r18.py', '../_base_/schedules/finetune_r3d18.py']
