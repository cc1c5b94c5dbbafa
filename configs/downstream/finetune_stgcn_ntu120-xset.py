_base_ = ['linear_stgcn_ntu120-xset.py', '../_base_/schedules/finetune_skeleton.py']
