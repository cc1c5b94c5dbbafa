#!/usr/bin/env bash
# Train under Slurm, one process a GPU.
#   GPUS=8 GPUS_PER_NODE=8 tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
# Five minutes before the time is up, or when the job is preempted, it saves and starts again.
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [options of tools/train.py]" >&2
    exit 2
fi
PARTITION=$1
JOB_NAME=$2
CONFIG=$3
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
CPUS_PER_TASK=${CPUS_PER_TASK:-5}

while :; do
    status=0
    # SRUN_ARGS is split into words on purpose: it carries several options.
    # shellcheck disable=SC2086
    srun -p "$PARTITION" \
        --job-name="$JOB_NAME" \
        --gres="gpu:$GPUS_PER_NODE" \
        --ntasks="$GPUS" \
        --ntasks-per-node="$GPUS_PER_NODE" \
        --cpus-per-task="$CPUS_PER_TASK" \
        --kill-on-bad-exit=1 \
        --signal=USR1@300 \
        ${SRUN_ARGS:-} \
        python -u tools/train.py "$CONFIG" --launcher slurm "${@:4}" || status=$?
    # 75: told to stop, and saved.
    [ "$status" -eq 75 ] || exit "$status"
    set -- "$@" --resume
done
