#!/bin/bash
# Runs a training in the background at the lowest priority, or at the niceness $TRAINING_NICE (0 to 19):
#   background.sh start [module] [options]   start or go on (module: Training.train_flux; also Training.train_dit)
#   background.sh pause | resume             stop it for a while, as when something is timed; go on
#   background.sh stop                       end it with a checkpoint; the next start goes on from there
#   background.sh status                     whether it runs, and the last lines of its log
# The work directory is $TRAINING_DIR, or .training in the root of the repository.
set -euo pipefail
sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work_dir=${TRAINING_DIR:-$(dirname "$sources")/.training}
pid_file=$work_dir/train.pid

group() { cat "$pid_file" 2>/dev/null || true; }
runs() { [[ -n $(group) ]] && kill -0 -- "-$(group)" 2>/dev/null; }

case ${1:-} in
start)
  runs && { echo "it runs already (process group $(group))"; exit 0; }
  module=${2:-Training.train_flux}
  mkdir -p "$work_dir"
  # nice alone has no effect across sessions where the kernel groups processes by session (autogroup).
  # Threads that wait must not spin: other work shares these cores. What is compiled is kept with the checkpoints.
  TRAINING_NICE=${TRAINING_NICE:-19} TRAINING_DIR=$work_dir TORCHINDUCTOR_CACHE_DIR=$work_dir/compiled \
    PYTHONPATH=$sources PYTHONWARNINGS=ignore OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=1000 \
    setsid bash -c '
      echo $$ > "$TRAINING_DIR/train.pid"
      [[ -w /proc/self/autogroup ]] && echo "$TRAINING_NICE" > /proc/self/autogroup
      exec nice -n "$TRAINING_NICE" "$TRAINING_DIR/venv/bin/python" -m "$@" --work-dir "$TRAINING_DIR"
    ' bash "$module" "${@:3}" >> "$work_dir/train.out" 2>&1 < /dev/null &
  sleep 1
  echo "started (process group $(group)); log: $work_dir/log.jsonl"
  ;;
pause) kill -STOP -- "-$(group)" && echo paused ;;
resume) kill -CONT -- "-$(group)" && echo "goes on" ;;
stop)
  kill -CONT -- "-$(group)"
  kill -TERM -- "-$(group)"
  for _ in $(seq 60); do
    runs || { echo stopped; exit 0; }
    sleep 0.5
  done
  echo "it still ends, with a checkpoint of its last step"
  ;;
status)
  if runs; then ps -o pid=,stat=,etime=,time=,args= -g "$(group)" | cut -c1-120; else echo "it does not run"; fi
  tail -n 3 "$work_dir/log.jsonl" 2>/dev/null || true
  ;;
*)
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 2
  ;;
esac
