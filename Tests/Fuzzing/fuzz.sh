#!/usr/bin/env bash
# Feeds mutated inputs to one target: fuzz.sh TARGET RUNS SEED, as make fuzz does for all. With the same seed the same program
# gets the same inputs, but for what earlier runs left in .build-fuzz/corpora; 0 draws a seed. One line tells what came of
# it; the whole account of libFuzzer goes to .build-fuzz/TARGET.log. What it finds is told with all that it takes to repeat
# it; then it ends with 255, so that xargs starts no other target.
set -uo pipefail
cd "$(dirname "$0")/../.."
(($# == 3)) || { echo 'usage: fuzz.sh TARGET RUNS SEED' >&2; exit 255; }
target=$1 runs=$2 seed=$3
program=.build-fuzz/release/Fuzzing
log=.build-fuzz/$target.log
mkdir -p ".build-fuzz/corpora/$target"

# The sanitizer of addresses ends a run at the first finding. Where memory was allocated it tells when the finding is repeated:
# to note that for each allocation takes a tenth of the time. Swift's own account of a crash would wait for libFuzzer's.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=quarantine_size_mb=16:malloc_context_size=0

rm -f ".build-fuzz/$target"-slow-unit-*
"$program" "$target" -runs="$runs" -seed="$seed" -timeout=60 -report_slow_units=1 -rss_limit_mb=512 -malloc_limit_mb=256 -max_len=4096 \
  -dict=Tests/Fuzzing/dictionary.txt -artifact_prefix=".build-fuzz/$target-" \
  ".build-fuzz/corpora/$target" "Tests/Fuzzing/Corpora/$target" >"$log" 2>&1 && status=0 || status=$?
input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)

# No input may take a second. One passes also where a busy machine stands still: what took it beside others has to take it
# by itself, and each time.
takesLittleTime() {
  for _ in 1 2 3; do
    "$program" "$target" -timeout=1 "$1" >>"$log" 2>&1 && return
  done
  return 1
}
if ((status == 0)); then
  for slow in ".build-fuzz/$target"-slow-unit-*; do
    [ -e "$slow" ] || continue
    takesLittleTime "$slow" || { status=70 input=$slow; break; }
  done
fi

if ((status == 0)); then
  awk -v target="$target" '
    $2 == "DONE" { coverage = $4; features = $6; inputs = $8; sub("/.*", "", inputs) }
    $1 == "Done" { runs = $2; seconds = $5 }
    END {
      printf "%-16s %8d runs in %4d s, coverage %5d, features %6d, inputs %5d\n",
        target, runs, seconds, coverage, features, inputs
    }' "$log"
  exit 0
fi

{
  echo "$target ended with status $status:"
  grep -v '^#' "$log" | tail -n 60
  if [ -n "$input" ]; then
    echo "The input is $input; it comes again with"
    echo "  SWIFT_BACKTRACE=enable=no $program $target $input"
    echo "where make fuzz RUNS=0 has built it, and elsewhere after"
    echo "  echo $(base64 -w 0 "$input") | base64 -d > $input"
  fi
} >&2
exit 255
