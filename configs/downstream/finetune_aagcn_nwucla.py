_base_ = ['linear_aagcn_nwucla.py', '../_base_/schedules/finetune_skeleton.py']
