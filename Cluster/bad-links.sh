#!/bin/bash
# Renders many small pictures over links that lose, delay, double and cut off packets, and looks whether the cluster keeps
# its promises: each job is done once, with the picture of one process; nobody is taken for dead because a link is bad; who
# cannot be reached is noticed within 15 s, and is back within 5 s when it can. A coordinator and four workers with CURVE,
# each in a network namespace of its own, joined by bad_link.py. Needs root, iproute2 and Python 3.
#
#   Cluster/bad-links.sh [clusca] [SCENARIO …]      e.g. Cluster/bad-links.sh .build/release/clusca loss flaps
#
# All scenarios unless some are named:
#   copy         no pictures: what a plain copy by TCP gets through the link, without a limit and with 100 Mbit/s
#   loss         5 % of packets are lost in each direction
#   delay        10 ± 3 ms in each direction, packets overtake one another
#   duplicates   1 % of packets come twice
#   rate         100 Mbit/s for each host
#   slow         20 % lost in each direction, and 100 ms there and 100 ms back
#   partition    a worker reaches nobody for 30 s
#   deaf         nothing comes to a worker for 15 s
#   mute         nothing comes from a worker for 15 s
#   neighbours   the first two stages do not reach one another until all is done
#   flaps        a worker reaches nobody for 2 s, 15 times
#   stop         a worker is stopped (SIGSTOP) for 12 s
#   stop-two     two workers are
#   coordinator  is killed and started again while a worker reaches nobody
#   kills        1 % of packets are lost in each direction, and for a minute a process is killed every two seconds and started
#                again: a worker, or each fourth time the coordinator
#
# SEED is that of the links and of which worker is killed. Exit status 1: a promise was broken; the logs are kept then.
set -euo pipefail
export LC_ALL=C
RANDOM=${SEED:-1}
here=$(cd "$(dirname "$0")" && pwd)
clusca=${1:-.build/release/clusca}
shift || true
every=(copy loss delay duplicates rate slow partition deaf mute neighbours flaps stop stop-two coordinator kills)
scenarios=("${@:-${every[@]}}")
for scenario in "${scenarios[@]}"; do
  [[ " ${every[*]} " == *" $scenario "* ]] || { echo "There is no scenario $scenario; there are ${every[*]}." >&2; exit 2; }
done
[ -x "$clusca" ] || { echo "There is no program $clusca; build it, or name another as the first argument." >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "Only root can make network namespaces." >&2; exit 2; }
folder=$(mktemp -d /tmp/clusca-bad-links-XXXXXX)
net=clbl$$
address=tcp://198.18.0.10:8766
picture=(--prompt "a pizza on a blue background" --cache clusca --no-metadata --quiet)
settings=("${picture[@]}" --size 64x64 --steps 12)
expected=$folder/small
# Those for links that let next to nothing through: 20 % lost and 200 ms leave TCP some 20 KB in a second.
tiny=("${picture[@]}" --size 32x32 --steps 6 --max-sequence-length 8)
seeds=5
most_noticed=15000 most_back=5000
failures=0
coordinator='' relay='' feeder='' workers=()

end() {
  touch "$folder/stop"
  kill -9 "$coordinator" "$relay" "$feeder" "${workers[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  for host in c w1 w2 w3 w4; do ip netns del "$net-$host" 2>/dev/null || true; done
  if [ "$failures" = 0 ]; then rm -rf "$folder"; else echo "The logs are in $folder." >&2; fi
}
trap end EXIT
trap 'exit 130' INT TERM

milliseconds() { local time=${EPOCHREALTIME/./}; echo "${time%???}"; }
seconds() { # milliseconds
  [ "$1" = - ] && echo - || awk -v ms="$1" 'BEGIN { printf "%.1f", ms / 1000 }'
}
# Each line of the log with its time in milliseconds in front.
stamp() { while IFS= read -r line; do printf '%s %s\n' "$(milliseconds)" "$line"; done; }
wait_for() { # seconds, command…
  local until=$(($(milliseconds) + 1000 * $1))
  shift
  until "$@"; do
    [ "$(milliseconds)" -lt $until ] || return 1
    sleep 0.2
  done
}
broken() { echo "$scenario: BROKEN: $1"; failures=$((failures + 1)); }
link() { "$here/bad_link.py" tell "$folder/link" "$@"; }

start_coordinator() {
  ip netns exec "$net-c" "$clusca" coordinator --listen "$address" --replicas 1 --key "$folder/coordinator.secret" --threads 1 \
    --allow-list "$folder/allowed" --state "$folder/state" 2> >(stamp >>"$folder/coordinator.log") &
  coordinator=$!
}
start_worker() { # number
  ip netns exec "$net-w$1" "$clusca" worker --coordinator "$address" --key "$folder/w$1.secret" --threads 1 --gflops 20 \
    --coordinator-key "$folder/coordinator.public" 2> >(stamp >>"$folder/w$1.log") &
  workers[$1]=$!
}
ask() { # command, options…
  local command=$1
  shift
  ip netns exec "$net-c" "$clusca" $command --coordinator "$address" --key "$folder/client.secret" \
    --coordinator-key "$folder/coordinator.public" "$@"
}

# What the coordinator's log says
count_since() { # time, pattern
  awk -v since="$1" -v pattern="$2" '$1 >= since && $0 ~ pattern { n++ } END { print n + 0 }' "$folder/coordinator.log"
}
first_since() { # time, pattern: how many milliseconds later the first such line came; - without one
  awk -v since="$1" -v pattern="$2" '$1 >= since && $0 ~ pattern { print $1 - since; n = 1; exit } END { if (!n) print "-" }' \
    "$folder/coordinator.log"
}
said_since() { [ "$(first_since "$1" "$2")" != - ]; }
all_here() { [ "$(ask status --json 2>/dev/null | grep -o '"name":"w[0-9]"' | wc -l)" = 4 ]; }
computing() { ask status --json 2>/dev/null | grep -q '"state":"running","steps":[0-9]*,"steps_done":[1-9]'; }
# Of a stage, counted from 1, the worker that has it.
worker_of_stage() {
  grep -o 'Stages for .*' "$folder/coordinator.log" | tail -n 1 | sed 's/.*: //' | tr ',' '\n' | awk -v n="$1" 'NR == n { print $1 }'
}

# Jobs. Each has a seed from 1 to $seeds; the numbers that submit prints are in the order of the seeds.
submit() { # rounds of $seeds jobs
  local round numbers
  for ((round = 0; round < $1; round++)); do
    asked=$((asked + 1))
    until numbers=$(ask submit "${settings[@]}" --seed 1 --batch-count $seeds --detach \
      --idempotency-key "$scenario-$BASHPID-$asked" 2>>"$folder/client.log"); do sleep 0.3; done
    echo $numbers >>"$folder/accepted"
  done
}
open_jobs() { ask jobs --json 2>/dev/null | grep -c -E '"state": ?"(waiting|running|paused)"' || true; }
none_open() {
  ask jobs --json >"$folder/jobs" 2>/dev/null && ! grep -q -E '"state": ?"(waiting|running|paused)"' "$folder/jobs"
}
feed() {
  asked=0
  while [ ! -e "$folder/stop" ]; do
    [ "$(open_jobs)" -ge 10 ] || submit 1
    sleep 1
  done
}
start_feeding() {
  feed &
  feeder=$!
  wait_for 30 computing || broken "no step was done within 30 s"
}
stop_feeding() {
  touch "$folder/stop"
  wait "$feeder" || true
  feeder=''
}
# Whether all that was accepted is known, done and as it should be.
check_jobs() {
  wait_for 120 none_open || { broken "$(open_jobs) jobs have not ended 120 s later"; return; }
  local numbers wrong=0 known finished seed number
  numbers=$(cat "$folder/accepted")
  jobs=$(wc -w <<<"$numbers")
  known=$(grep -c . "$folder/jobs" || true)
  finished=$(grep -c -E '"state": ?"done"' "$folder/jobs" || true)
  [ "$(tr ' ' '\n' <<<"$numbers" | sort -u | wc -l)" = "$jobs" ] || broken "a number was given twice"
  [ "$known" = "$jobs" ] && [ "$finished" = "$jobs" ] || broken "accepted $jobs jobs, known $known, done $finished"
  ask fetch $numbers --no-metadata --quiet --force --output "$folder/got/%d.png" >/dev/null || broken "pictures are missing"
  while read -r numbers; do
    seed=0
    for number in $numbers; do
      seed=$((seed + 1))
      cmp -s "$folder/got/$number.png" "$expected-$seed.png" || wrong=$((wrong + 1))
    done
  done <"$folder/accepted"
  [ $wrong = 0 ] || broken "$wrong pictures differ from those of one process"
  ask "jobs forget" $(cat "$folder/accepted") >/dev/null
}

# Where a scenario begins and ends
begin() {
  link clear
  # Of a scenario that has failed.
  local left
  if left=$(ask jobs --json | sed -E 's/.*"id": ?([0-9]+).*/\1/') && [ -n "$left" ]; then
    ask cancel $left >/dev/null 2>&1 || true
    wait_for 30 none_open || true
    ask "jobs forget" $left >/dev/null
  fi
  wait_for 30 all_here || broken "not all workers are here at the beginning"
  rm -rf "$folder"/{stop,accepted,got}
  mkdir "$folder/got"
  asked=0 jobs=0 noticed=- back=-
  before=$(packets)
  began=$(milliseconds)
}
packets() { # how many were lost, cut off, doubled or too many so far
  link counts | tr ' ' '\n' | awk -F= '$1 != "packets" { n += $2 } END { print n }'
}
finish() { # deaths that there may be
  check_jobs
  local lost spoilt=$(($(packets) - before))
  case $scenario in
  delay | rate | stop*) ;;
  *) [ $spoilt -gt 0 ] || broken "nothing has become of any packet" ;;
  esac
  lost=$(count_since "$began" 'The worker .* is lost')
  [ "$lost" -le "$1" ] || broken "$lost workers were taken for dead, where $1 may be"
  printf '%-12s %3d jobs in %5.1f s, %4d packets spoilt, deaths %d, noticed after %4s s, back after %4s s\n' "$scenario" "$jobs" \
    "$(seconds $(($(milliseconds) - began)))" $spoilt "$lost" "$(seconds "$noticed")" "$(seconds "$back")"
}
# A worker cannot be reached since a time.
expect_loss() { # worker, time
  wait_for $((most_noticed / 1000 + 5)) said_since "$2" "The worker $1 is lost" || true
  noticed=$(first_since "$2" "The worker $1 is lost")
  [ "$noticed" != - ] && [ "$noticed" -le $most_noticed ] || broken "that $1 is lost was noticed after $noticed ms"
}
# A worker can be reached again since a time.
expect_return() { # worker, time
  wait_for $((most_back / 1000 + 10)) said_since "$2" "The worker $1 is here" || true
  back=$(first_since "$2" "The worker $1 is here")
  [ "$back" != - ] && [ "$back" -le $most_back ] || broken "$1 was back after $back ms"
}
sleep_until() { # time
  local left=$(($1 - $(milliseconds)))
  [ $left -le 0 ] || sleep "$(seconds $left)"
}

# The scenarios

bad() { # rounds of jobs, what the link is told…
  begin
  local rounds=$1
  shift
  link "$@"
  submit "$rounds"
  finish 0
}
cut_off() { # seconds, words of the link that cut off worker 1
  begin
  start_feeding
  local seconds=$1 cut since
  shift
  cut=$(milliseconds)
  link "$@"
  expect_loss w1 "$cut"
  sleep_until $((cut + 1000 * seconds))
  since=$(milliseconds)
  link clear
  expect_return w1 "$since"
  stop_feeding
  finish 1
}
stopped() { # numbers of workers
  begin
  start_feeding
  local number since worst=0
  since=$(milliseconds)
  for number in "$@"; do kill -STOP "${workers[number]}"; done
  for number in "$@"; do expect_loss "w$number" "$since"; done
  sleep_until $((since + 12000))
  since=$(milliseconds)
  for number in "$@"; do kill -CONT "${workers[number]}"; done
  for number in "$@"; do
    expect_return "w$number" "$since"
    [ "$back" = - ] || [ "$back" -le $worst ] || worst=$back
  done
  back=$worst
  stop_feeding
  finish $#
}
run_copy() {
  local bytes=$((100 << 20)) limit result
  for limit in 0 100; do
    link clear
    link host all rate=$limit
    [ $limit = 0 ] || bytes=$((30 << 20))
    result=$(ip netns exec "$net-w2" timeout 60 python3 -c '
import socket, sys, time
server = socket.create_server(("198.18.0.12", 9000))
print("ready", file=sys.stderr, flush=True)
peer, _ = server.accept()
got, began = 0, time.monotonic()
while part := peer.recv(1 << 20): got += len(part)
assert got == int(sys.argv[1])
print(f"{8 * got / 1e6 / (time.monotonic() - began):.0f}")' $bytes 2>"$folder/copy" &
      wait_for 10 grep -q ready "$folder/copy"
      ip netns exec "$net-w1" python3 -c '
import socket, sys
peer = socket.create_connection(("198.18.0.12", 9000))
left, part = int(sys.argv[1]), bytes(1 << 20)
while left > 0: left -= peer.send(part[:left])
peer.close()' $bytes
      wait)
    echo "copy         $((bytes >> 20)) MiB over TCP, limit ${limit/#0/none}: $result Mbit/s"
  done
}
run_loss() { bad 10 between all and all loss=5; }
run_delay() { bad 10 between all and all delay=10 jitter=3; }
run_duplicates() { bad 10 between all and all duplicate=1; }
run_rate() { bad 10 host all rate=100; }
run_slow() {
  local settings=("${tiny[@]}") expected=$folder/tiny
  bad 1 between all and all loss=20 delay=100
}
run_partition() { cut_off 30 between w1 and all cut=1; }
run_deaf() { cut_off 15 from all to w1 cut=1; }
run_mute() { cut_off 15 from w1 to all cut=1; }
run_stop() { stopped 2; }
run_stop-two() { stopped 1 3; }
run_neighbours() {
  begin
  submit 2
  wait_for 30 computing || broken "no step was done within 30 s"
  local first second cut
  first=$(worker_of_stage 1) second=$(worker_of_stage 2)
  [ -n "$second" ] || { broken "there are no two stages"; return; }
  link between "$first" and "$second" cut=1
  cut=$(milliseconds)
  submit 2
  wait_for 20 said_since "$cut" 'tensors do not get through' || true
  noticed=$(first_since "$cut" 'tensors do not get through')
  [ "$noticed" != - ] && [ "$noticed" -le $most_noticed ] || broken "it was noticed after $noticed ms"
  finish 0
}
run_flaps() {
  begin
  start_feeding
  local healed
  link between w1 and all flap=15x2
  sleep 58
  healed=$(milliseconds)
  link clear
  wait_for 15 all_here || true
  back=$(($(milliseconds) - healed))
  [ $back -le $most_back ] || broken "w1 was back after $back ms"
  stop_feeding
  # A link that is there for two seconds at a time may be too little.
  finish 15
}
run_coordinator() {
  begin
  start_feeding
  local healed
  link between w1 and all cut=1
  sleep 4
  kill -9 "$coordinator"
  wait "$coordinator" 2>/dev/null || true
  start_coordinator
  sleep 8
  healed=$(milliseconds)
  link clear
  expect_return w1 "$healed"
  stop_feeding
  finish 1
}

run_kills() {
  begin
  start_feeding
  local until=$((began + 60000)) killed=0 number
  link between all and all loss=1
  while [ "$(milliseconds)" -lt $until ]; do
    killed=$((killed + 1))
    if [ $((killed % 4)) = 0 ]; then
      kill -9 "$coordinator"
      wait "$coordinator" 2>/dev/null || true
      start_coordinator
    else
      number=$((RANDOM % 4 + 1))
      kill -9 "${workers[number]}"
      wait "${workers[number]}" 2>/dev/null || true
      start_worker $number
    fi
    sleep 2
  done
  link clear
  wait_for 30 all_here || broken "not all workers are back"
  stop_feeding
  finish $killed
  echo "             $killed processes were killed"
}

for host in c w1 w2 w3 w4; do ip netns add "$net-$host"; done
"$here/bad_link.py" serve "$folder/link" --seed "${SEED:-1}" "c=198.18.0.10/24@$net-c" \
  $(for number in 1 2 3 4; do echo "w$number=198.18.0.1$number/24@$net-w$number"; done) 2>"$folder/link.log" &
relay=$!
wait_for 10 link clear 2>/dev/null || { cat "$folder/link.log" >&2; exit 1; }

if [ "${scenarios[*]}" != copy ]; then
  for node in coordinator client w1 w2 w3 w4; do "$clusca" keys new "$node" --folder "$folder" >/dev/null; done
  for number in 1 2 3 4; do
    "$clusca" keys allow "$folder/w$number.public" --role worker --allow-list "$folder/allowed" >/dev/null
  done
  "$clusca" keys allow "$folder/client.public" --role client --allow-list "$folder/allowed" >/dev/null
  "$clusca" generate "${settings[@]}" --seed 1 --batch-count $seeds --output "$folder/small-%s.png" >/dev/null
  "$clusca" generate "${tiny[@]}" --seed 1 --batch-count $seeds --output "$folder/tiny-%s.png" >/dev/null
  start_coordinator
  for number in 1 2 3 4; do start_worker $number; done
fi
for scenario in "${scenarios[@]}"; do "run_$scenario"; done
[ "$failures" = 0 ]
