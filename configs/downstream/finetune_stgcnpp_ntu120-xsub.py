_base_ = ['linear_stgcnpp_ntu120-xsub.py', '../_base_/schedules/finetune_skeleton.py']
