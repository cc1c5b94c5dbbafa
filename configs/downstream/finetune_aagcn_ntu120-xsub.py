_base_ = ['linear_aagcn_ntu120-xsub.py', '../_base_/schedules/finetune_skeleton.py']
