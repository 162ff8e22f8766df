#!/bin/sh
#SBATCH --job-name=clusca-worker
#SBATCH --array=0-3
#SBATCH --ntasks=1
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
# Workers of the coordinator that slurm-coordinator.sh started, one in each element of the array. Element 3 has the keys
# worker-3.secret in SHARED. Elements come and go: one that is requeued, preempted or started twice takes the place of its
# former self, and on SIGTERM (two minutes before the time is up) hands its pictures to the others.
#
#   sbatch --array=0-7 --cpus-per-task=32 --export=ALL,SHARED=/shared/clusca,MODEL=/models/FLUX.1-dev Cluster/slurm-workers.sh
set -eu
: "${SHARED:?the folder of the coordinator}"
worker=
trap 'test -z "$worker" || kill -TERM "$worker"; wait; exit 0' TERM INT
until [ -s "$SHARED/address" ]; do sleep 1; done
# A coordinator that was requeued may be on another node.
while :; do
  address=$(cat "$SHARED/address")
  clusca worker --coordinator "$address" --key "$SHARED/worker-$SLURM_ARRAY_TASK_ID.secret" \
    --coordinator-key "$SHARED/coordinator.public" ${MODEL:+--model "$MODEL"} \
    ${SLURM_CPUS_PER_TASK:+--threads "$SLURM_CPUS_PER_TASK"} &
  worker=$!
  while kill -0 "$worker" 2>/dev/null && [ "$(cat "$SHARED/address")" = "$address" ]; do
    sleep 2 &
    wait $!
  done
  kill -TERM "$worker" 2>/dev/null || true
  status=0
  wait "$worker" || status=$?
  # One that was killed, as for want of memory, is started again.
  if [ "$status" -lt 128 ] && [ "$(cat "$SHARED/address")" = "$address" ]; then exit "$status"; fi
  sleep 2 &
  wait $!
done
