_base_ = ['linear_stgcn_ntu120-xsub.py', '../_base_/schedules/finetune_skeleton.py']
