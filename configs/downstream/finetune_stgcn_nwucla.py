_base_ = ['linear_stgcn_nwucla.py', '../_base_/schedules/finetune_skeleton.py']
