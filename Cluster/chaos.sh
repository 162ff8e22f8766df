#!/bin/bash
# Has many small pictures made while workers and the coordinator are killed at random, and looks whether each job ended once
# and as it should. Four workers of one thread; the model is a small one of random weights among the tests' fixtures.
#
#   Cluster/chaos.sh [JOBS] [clusca]      e.g. Cluster/chaos.sh 1000 .build/release/clusca
#
# KILL_WORKER and KILL_COORDINATOR are the seconds between kills (0.7 and 2), SEED makes another run of the same kind,
# REPLICAS is how many pipelines may stand side by side (2).
set -euo pipefail
jobs=${1:-100}
clusca=${2:-.build/release/clusca}
kill_worker=${KILL_WORKER:-0.7}
kill_coordinator=${KILL_COORDINATOR:-2}
RANDOM=${SEED:-1}
model=$(cd "$(dirname "$0")/.." && pwd)/Tests/Fixtures/reference/checkpoints/flux-dev-tiny
[ -x "$clusca" ] || { echo "There is no program $clusca; build it, or name another as the second argument." >&2; exit 2; }
folder=$(mktemp -d /tmp/clusca-chaos-XXXXXX)
address=ipc://$folder/c
settings=(--size 32x32 --steps 40 --quiet)
subjects=(cat dog house apple ship)

start_coordinator() {
  "$clusca" coordinator --listen "$address" -m "$model" --state "$folder/state" --failure-interval 0 --threads 1 \
    --replicas "${REPLICAS:-2}" 2>>"$folder/coordinator.log" &
  coordinator=$!
}
start_worker() { # number
  "$clusca" worker --coordinator "$address" --name "w$1" -m "$model" --threads 1 --gflops 10 2>>"$folder/w$1.log" &
  workers[$1]=$!
}
ask() { local command=$1; shift; "$clusca" $command --coordinator "$address" "$@"; }
end() {
  kill -9 "$coordinator" "${workers[@]}" "${submitter:-}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM

# What each subject has to give, made in one process.
for subject in "${subjects[@]}"; do
  "$clusca" generate -m "$model" -p "a $subject" "${settings[@]}" --no-metadata -o "$folder/$subject.png" >/dev/null
done

workers=()
start_coordinator
for number in 0 1 2 3; do start_worker $number; done

# A client that gives each job a key of its own, so that what it asks twice is one job.
(
  for ((job = 0; job < jobs; job++)); do
    until ask submit -p "a ${subjects[job % 5]}" "${settings[@]}" --detach --idempotency-key "job-$job" \
      >>"$folder/accepted" 2>>"$folder/client.log"; do sleep 0.2; done
  done
) &
submitter=$!

began=$SECONDS
now() { date +%s%N; }
nanoseconds() { awk -v s="$1" 'BEGIN { printf "%.0f", s * 1e9 }'; }
every_worker=$(nanoseconds "$kill_worker") every_coordinator=$(nanoseconds "$kill_coordinator")
next_worker=$(now) next_coordinator=$(($(now) + every_coordinator))
killed_workers=0 killed_coordinators=0
while :; do
  if (($(now) > next_coordinator)); then
    kill -9 "$coordinator" && wait "$coordinator" 2>/dev/null || true
    start_coordinator
    killed_coordinators=$((killed_coordinators + 1))
    next_coordinator=$(($(now) + every_coordinator))
  elif (($(now) > next_worker)); then
    number=$((RANDOM % 4))
    kill -9 "${workers[number]}" && wait "${workers[number]}" 2>/dev/null || true
    start_worker "$number"
    killed_workers=$((killed_workers + 1))
    next_worker=$(($(now) + every_worker))
    if ! kill -0 "$submitter" 2>/dev/null; then
      open=$(ask jobs --json 2>/dev/null | grep -c -E '"state": ?"(waiting|running|paused)"' || true)
      [ "${open:-1}" != 0 ] || [ "$(ask jobs --json 2>/dev/null | wc -l)" -lt "$jobs" ] || break
    fi
  fi
  sleep 0.05
done
echo "$jobs jobs in $((SECONDS - began)) s; killed: $killed_workers workers, $killed_coordinators coordinators"

ask jobs --json >"$folder/jobs"
accepted=$(sort -u "$folder/accepted" | wc -l)
known=$(wc -l <"$folder/jobs")
ended=$(grep -c -E '"state": ?"done"' "$folder/jobs" || true)
quarantined=$(grep -c -E '"reason": ?"quarantined"' "$folder/jobs" || true)
resumed=$(grep -c "There is a snapshot of job" "$folder/coordinator.log" || true)
adopted=$(grep -c "is adopted" "$folder/coordinator.log" || true)
wrong=0
for id in $(grep -E '"state": ?"done"' "$folder/jobs" | sed -E 's/.*"id": ?([0-9]+).*/\1/'); do
  ask fetch "$id" --no-metadata --quiet --force -o "$folder/x.png" >/dev/null
  subject=${subjects[$(((id - 1) % 5))]}
  cmp -s "$folder/x.png" "$folder/$subject.png" || { wrong=$((wrong + 1)); echo "job $id, a $subject, differs"; }
done
echo "accepted $accepted, known $known, done $ended, quarantined $quarantined, wrong pictures $wrong, samples resumed $resumed, adopted $adopted"
[ "$accepted" = "$jobs" ] && [ "$known" = "$jobs" ] && [ "$ended" = "$jobs" ] && [ "$wrong" = 0 ]
