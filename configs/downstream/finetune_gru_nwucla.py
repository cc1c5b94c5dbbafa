_base_ = ['linear_gru_nwucla.py', '../_base_/schedules/finetune_gru.py']
