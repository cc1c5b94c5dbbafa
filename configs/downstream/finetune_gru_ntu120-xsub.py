_base_ = ['linear_gru_ntu120-xsub.py', '../_base_/schedules/finetune_gru.py']
