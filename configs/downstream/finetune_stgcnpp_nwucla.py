_base_ = ['linear_stgcnpp_nwucla.py', '../_base_/schedules/finetune_skeleton.py']
