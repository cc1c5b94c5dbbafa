_base_ = ['linear_aagcn_ntu120-xset.py', '../_base_/schedules/finetune_skeleton.py']
