#!/bin/bash
# Renders through a Slurm of its own on this machine: slurmctld and five slurmd, the scripts of this folder as jobs. Kills a
# worker, has another one run twice, kills slurmctld and starts it again, requeues the coordinator, and compares each
# picture with that of one process. Needs root and Debian's slurm-wlm and munge.
#
#   Cluster/slurm-test.sh [clusca]      e.g. Cluster/slurm-test.sh .build/release/clusca
set -euo pipefail
PATH=$PATH:/usr/sbin
for program in slurmctld slurmd munged; do
  command -v "$program" >/dev/null || { echo "$program is missing: apt-get install slurm-wlm munge" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "Only root can start a Slurm of its own." >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
clusca=$(realpath "${1:-$here/../.build/release/clusca}")
model=$(realpath "$here/../Tests/Fixtures/reference/checkpoints/flux-dev-tiny")
folder=$(mktemp -d /tmp/clusca-slurm-XXXXXX)
export SLURM_CONF=$folder/slurm.conf PATH="$(dirname "$clusca"):$PATH"
settings=(--size 32x32 --steps 6000 --quiet)

end() {
  scancel --user=root 2>/dev/null || true
  sleep 1
  for pid in "$folder"/*.pid; do kill -9 "$(cat "$pid")" 2>/dev/null || true; done
  pkill -9 -f "$folder" 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM
fail() { echo "$1" >&2; tail -n 20 "$folder"/log/* "$folder"/*.out >&2; exit 1; }
until_true() { # seconds, what is waited for, command…
  local left=$((10 * $1)) text=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || fail "waited in vain: $text"
    sleep 0.1
  done
}

# A Slurm that is nobody else's.
host=$(hostname -s)
mkdir -p "$folder"/{control,log,munge,shared}
chmod 700 "$folder/munge"
dd if=/dev/urandom of="$folder/munge/key" bs=32 count=1 2>/dev/null
chmod 400 "$folder/munge/key"
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/log/munged" --seed-file="$folder/munge/seed"
cat >"$SLURM_CONF" <<CONF
ClusterName=clusca
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
SlurmUser=root
SlurmdUser=root
SlurmctldPort=17817
StateSaveLocation=$folder/control
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
KillWait=5
MailProg=/bin/true
NodeName=n[0-4] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17820-17824] CPUs=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
slurmctld -i
for node in 0 1 2 3 4; do
  mkdir -p "$folder/spool-n$node"
  slurmd -N "n$node"
done
until_true 30 "five idle nodes" sh -c '[ "$(sinfo -h -t idle -o %D)" = 5 ]'

# Keys, the coordinator, three workers.
shared=$folder/shared
for name in coordinator client worker-0 worker-1 worker-2; do "$clusca" keys new "$name" --folder "$shared" >/dev/null; done
for name in worker-0 worker-1 worker-2; do
  "$clusca" keys allow "$shared/$name.public" --role worker --allow-list "$shared/allowed" >/dev/null
done
"$clusca" keys allow "$shared/client.public" --role client --allow-list "$shared/allowed" >/dev/null
variables=ALL,SHARED=$shared,MODEL=$model,HOST=localhost,PORT=17830
coordinator=$(sbatch --parsable --export="$variables" -o "$folder/coordinator.out" --open-mode=append \
  "$here/slurm-coordinator.sh")
workers=$(sbatch --parsable --export="$variables" --array=0-2 -o "$folder/worker-%a.out" --open-mode=append \
  "$here/slurm-workers.sh")
ask() {
  local command=$1
  shift
  "$clusca" $command --coordinator tcp://127.0.0.1:17830 --key "$shared/client.secret" \
    --coordinator-key "$shared/coordinator.public" "$@"
}
here_are() { [ "$(ask status --json | grep -o '"name":"worker-' | wc -l)" = "$1" ]; }
until_true 60 "three workers" here_are 3

printf 'a cat\na dog\na house\n' >"$folder/prompts.txt"
ask submit --prompts-file "$folder/prompts.txt" "${settings[@]}" --no-metadata -o "$folder/%d.png" >/dev/null &
client=$!
computing() { ask status --json | grep -q '"steps_done":[1-9]'; }
until_true 60 "steps that are done" computing

worker_process() { pgrep -f "clusca worker .*worker-$1.secret" | head -n 1; }
echo "worker 0 is killed"
killed=$(worker_process 0)
kill -9 "$killed"
until_true 30 "another process of worker 0" sh -c "pgrep -f 'clusca worker .*worker-0.secret' | grep -qv '^$killed\$'"

echo "slurmctld is killed and started again"
kill -9 "$(cat "$folder/slurmctld.pid")"
sleep 1
slurmctld
until_true 30 "slurmctld" sinfo

echo "worker 1 runs twice: its node is given up, and its process goes on"
node=$(squeue -h -j "${workers}_1" -o %N)
old=$(worker_process 1)
kill -STOP "$(cat "$folder/slurmd-$node.pid")"
scontrol update nodename="$node" state=down reason=test
twice() { [ "$(pgrep -f "clusca worker .*worker-1.secret" | wc -l)" = 2 ]; }
until_true 200 "two processes of worker 1" twice
until_true 60 "the end of the older process" sh -c "! kill -0 $old"

echo "the coordinator is requeued"
scontrol requeue "$coordinator"
until_true 200 "the coordinator, started again" ask status --json

wait $client || fail "submit has failed"
mapfile -t subjects < <(sed 's/^a //' "$folder/prompts.txt")
for index in 0 1 2; do
  "$clusca" generate -m "$model" -p "a ${subjects[index]}" "${settings[@]}" --no-metadata \
    -o "$folder/one.png" --force >/dev/null
  cmp "$folder/one.png" "$folder/$index.png" || fail "picture $index differs"
done
jobs=$(ask jobs --json | grep -c '"state": *"done"')
echo "three pictures through Slurm are those of one process; jobs that are done: $jobs"
[ "$jobs" = 3 ]
