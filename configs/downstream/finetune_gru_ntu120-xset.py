_base_ = ['linear_gru_ntu120-xset.py', '../_base_/schedules/finetune_gru.py']
