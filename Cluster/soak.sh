#!/bin/bash
# Has small pictures made for a long time while workers are killed now and then, and looks whether the coordinator and a
# worker that nobody kills stay as they are: their memory, descriptors and threads, every 10 s, go to a CSV, and after a
# warm-up (a quarter of the time) lines are fitted. Fails if the coordinator's memory grows by more than 1 MiB in ten
# minutes, descriptors or threads are not flat, the journal (a small one) is not written anew, or a picture is another than
# that of one process.
#
#   Cluster/soak.sh [MINUTES] [clusca] [soak.csv]      e.g. nice Cluster/soak.sh 30 .build/release/clusca
#
# In less than 20 minutes the memory has not settled. Jobs are forgotten half a minute after they are done, as somebody
# would have it who keeps what he has fetched: listed ones are kept for ever, which is no leak. KILL_WORKER is the seconds
# between kills (7), SEED makes another run of the same kind. The model is a small one of random weights among the tests'
# fixtures.
set -euo pipefail
export LC_ALL=C
minutes=${1:-30}
clusca=${2:-.build/release/clusca}
table=${3:-soak.csv}
kill_worker=${KILL_WORKER:-7}
RANDOM=${SEED:-1}
model=$(cd "$(dirname "$0")/.." && pwd)/Tests/Fixtures/reference/checkpoints/flux-dev-tiny
[ -x "$clusca" ] || { echo "There is no program $clusca; build it, or name another as the second argument." >&2; exit 2; }
folder=$(mktemp -d /tmp/clusca-soak-XXXXXX)
address=ipc://$folder/c
settings=(-m "$model" --prompt "a cat" --size 32x32 --steps 40 --no-metadata --quiet)
clients=3
coordinator='' workers=() submitters=()

end() {
  touch "$folder/stop"
  kill -9 "$coordinator" "${workers[@]}" "${submitters[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM

ask() { local command=$1; shift; "$clusca" $command --coordinator "$address" "$@"; }
# With so little memory one worker cannot hold the model, so that it is not left to the one that nobody kills.
start_worker() { # number
  "$clusca" worker --coordinator "$address" --name "w$1" -m "$model" --threads 1 --gflops 10 \
    --memory 6MB 2>>"$folder/w$1.log" &
  workers[$1]=$!
}
# A client that always waits for two pictures, looks at them, and asks for two more.
work() { # number
  local seed=1 one
  mkdir "$folder/client-$1"
  while [ ! -e "$folder/stop" ]; do
    ask submit "${settings[@]:2}" --seed 1 --batch-count 2 --force --output "$folder/client-$1/%s.png" >/dev/null \
      2>>"$folder/client-$1.log" || { echo "a client failed" >>"$folder/wrong"; sleep 1; continue; }
    for seed in 1 2; do
      cmp -s "$folder/client-$1/$seed.png" "$folder/one-$seed.png" || echo "a picture differs" >>"$folder/wrong"
      echo >>"$folder/made"
    done
    sleep 0.5
  done
}
# Columns: what is in memory (KiB), descriptors, threads.
sample() { # process
  local memory threads
  memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$1/status" 2>/dev/null) || true
  threads=$(awk '/^Threads/ { print $2 }' "/proc/$1/status" 2>/dev/null) || true
  echo "${memory:-},$(ls "/proc/$1/fd" 2>/dev/null | wc -l),${threads:-}"
}
count() { [ ! -e "$1" ] && echo 0 || wc -l <"$1"; }

"$clusca" generate "${settings[@]}" --seed 1 --batch-count 2 --output "$folder/one-%s.png" >/dev/null
"$clusca" coordinator --listen "$address" --replicas 1 -m "$model" --state "$folder/state" --failure-interval 0 --threads 1 \
  --segment-bytes 262144 2>>"$folder/coordinator.log" &
coordinator=$!
for number in 0 1 2 3; do start_worker $number; done
for ((number = 0; number < clients; number++)); do
  work $number &
  submitters+=($!)
done

header=seconds,made,kills,listed,journal_files,journal_number,journal_bytes
for process in coordinator w0 w1 w2 w3; do header+=,${process}_kib,${process}_descriptors,${process}_threads; done
echo "$header" >"$table"
began=$SECONDS kills=0 next_kill=$kill_worker next_sample=10 next_forgetting=15 old=''
while ((SECONDS - began < 60 * minutes)); do
  time=$((SECONDS - began))
  if ((time >= next_kill)); then
    next_kill=$((time + kill_worker))
    number=$((1 + RANDOM % 3))
    kill -9 "${workers[number]}" && wait "${workers[number]}" 2>/dev/null || true
    start_worker "$number"
    kills=$((kills + 1))
  elif ((time >= next_forgetting)); then
    next_forgetting=$((time + 15))
    # Those that were done the last time, so that their clients have had time to fetch them.
    [ -z "$old" ] || ask "jobs forget" $old >/dev/null
    old=$(ask jobs --json --state done | sed -E 's/.*"id": ?([0-9]+).*/\1/')
    # Who is killed with three jobs is set aside until somebody lets him work again.
    aside=$(ask status --json | grep -o '"name":"w[0-9]","state":"set aside"' | cut -d'"' -f4) || true
    [ -z "$aside" ] || ask "workers readmit" $aside >/dev/null
  elif ((time >= next_sample)); then
    next_sample=$((time + 10))
    journals=("$folder"/state/journal-*.log)
    row=$time,$(count "$folder/made"),$kills,$(ask jobs --json | wc -l),${#journals[@]}
    row+=,$(basename "${journals[-1]}" .log | tr -dc 0-9 | sed 's/^0*//'),$(cat "${journals[@]}" | wc -c)
    for process in "$coordinator" "${workers[@]}"; do row+=,$(sample "$process"); done
    echo "$row" >>"$table"
    kill -0 "$coordinator" && kill -0 "${workers[0]}" || { echo "one that nobody kills has ended" >&2; exit 1; }
  fi
  sleep 0.2
done
touch "$folder/stop"
wait "${submitters[@]}" || true

echo "$(count "$folder/made") pictures in $minutes minutes, $kills workers killed; samples are in $table"
sort "$folder/wrong" 2>/dev/null | uniq -c || true
awk -F, -v minutes="$minutes" '
  NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
  $1 >= 15 * minutes { n++; for (i = 1; i <= NF; i++) value[n, i] = $i }
  # What a column grows by in ten minutes, by least squares.
  function growth(i,  k, x, y, xx, xy) {
    for (k = 1; k <= n; k++) { x += value[k, 1]; y += value[k, i]; xx += value[k, 1] ^ 2; xy += value[k, 1] * value[k, i] }
    return 600 * (n * xy - x * y) / (n * xx - x * x)
  }
  function mean(i, from, to,  k, sum) { for (k = from; k <= to; k++) sum += value[k, i]; return sum / (to - from + 1) }
  function judge(name, limit,  i, g, verdict) {
    i = column[name]
    g = growth(i)
    verdict = limit > 0 && g > limit ? " TOO MUCH" : ""
    if (verdict != "") failed = 1
    printf "%-24s mean %9.1f, at first %9.1f, at last %9.1f, growth in ten minutes %8.1f%s\n", \
      name, mean(i, 1, n), mean(i, 1, int(n / 4)), mean(i, n - int(n / 4) + 1, n), g, verdict
    return g
  }
  END {
    if (n < 12) { print "too few samples"; exit 1 }
    g = judge("coordinator_kib", 1024)
    printf "%-24s %.1f bytes for each picture that was made\n", "", g * 1024 / (growth(column["made"]))
    judge("coordinator_descriptors", 1); judge("coordinator_threads", 1)
    judge("w0_kib", 0); judge("w0_descriptors", 1); judge("w0_threads", 1)
    judge("listed", 0)
    if (value[n, column["journal_number"]] < 2) failed = 1
    print "journal: " value[n, column["journal_files"]] " file of " value[n, column["journal_bytes"]] " bytes, number " \
      value[n, column["journal_number"]]
    exit failed
  }' "$table"
[ ! -s "$folder/wrong" ]
