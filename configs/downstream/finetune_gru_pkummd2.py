_base_ = ['linear_gru_pkummd2.py', '../_base_/schedules/finetune_gru.py']
