#!/bin/sh
#SBATCH --job-name=clusca
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --signal=B:TERM@120
# A coordinator on the first node of the job and a worker on each. KEYS is a folder that all nodes see, with
# coordinator.secret, coordinator.public, allowed, and NODE.secret of every node; MODEL is a checkpoint, PROMPTS a list.
set -eu
: "${KEYS:?a folder of keys}" "${MODEL:?a checkpoint}" "${PROMPTS:?a list of prompts}"
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(getent ahostsv4 "$first" | awk 'NR == 1 { print $1 }')
export COORDINATOR="tcp://$address:8766" KEYS MODEL

clusca coordinator --listen "$COORDINATOR" --model "$MODEL" --key "$KEYS/coordinator.secret" \
  --allow-list "$KEYS/allowed" --state clusca-jobs &
coordinator=$!
trap 'kill $coordinator' EXIT TERM
srun --kill-on-bad-exit=0 sh -c \
  'exec clusca worker --coordinator "$COORDINATOR" --model "$MODEL" --key "$KEYS/$(hostname -s).secret" \
     --coordinator-key "$KEYS/coordinator.public"' &
clusca submit --coordinator "$COORDINATOR" --key "$KEYS/client.secret" --coordinator-key "$KEYS/coordinator.public" \
  --prompts-file "$PROMPTS" --output 'pictures/%04d.png' &
wait $!
