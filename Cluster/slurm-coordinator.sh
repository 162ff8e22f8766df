#!/bin/sh
#SBATCH --job-name=clusca-coordinator
#SBATCH --ntasks=1
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
# The coordinator, as a job of its own; slurm-workers.sh are its workers. SHARED is a folder that all nodes and the users
# of the coordinator see. It holds the keys (coordinator.secret, coordinator.public, allowed) and gets the jobs, their
# pictures and the coordinator's address: a job that is requeued goes on, from whatever node. MODEL is a checkpoint; without
# it, the model that comes with clusca.
#
#   sbatch --export=ALL,SHARED=/shared/clusca,MODEL=/models/FLUX.1-dev Cluster/slurm-coordinator.sh
set -eu
: "${SHARED:?a folder that all nodes see}"
host=${HOST:-$(hostname -f)}
address=$(getent ahostsv4 "$host" | awk 'NR == 1 { print $1 }')
address="tcp://$address:${PORT:-8766}"
echo "$address" >"$SHARED/.address.$$"
mv "$SHARED/.address.$$" "$SHARED/address"
exec clusca coordinator --listen "$address" --key "$SHARED/coordinator.secret" --allow-list "$SHARED/allowed" \
  --state "$SHARED/state" ${MODEL:+--model "$MODEL"}
