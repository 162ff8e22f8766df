#!/bin/bash
# Starts workers on other hosts by ssh, and ends them together.
#
#   Cluster/ssh.sh HOSTS tcp://COORDINATOR:PORT [options of clusca worker …]
#
# HOSTS is a file with a host a line, as ssh knows it, and what its worker is to have of its own:
#
#   node-1
#   render@node-2 threads=16 model=/models/FLUX.1-dev
#   node-3 name=third listen=tcp://10.0.0.3:9001 advertise=tcp://203.0.113.3:9001 clusca=/opt/clusca/bin/clusca
#
# name (the host's unless given), threads, memory, link, roles, listen, advertise, model (several times, if need be); clusca
# is where the program is there. The hosts have it already, and the models; ssh gets in without asking (BatchMode).
#
# It is started where the allow-list of the coordinator is: KEYS is the folder with coordinator.public and the list
# `allowed` (~/.config/clusca/keys). A host makes its own keys, once; the secret one never leaves it. Of keys that are new
# on the list the coordinator has to be told: RELOAD is a command that does so ("systemctl reload clusca-coordinator").
# SSH is the command with its options ("ssh -F file"), CLUSCA the program here.
#
# SIGTERM or Ctrl-C drains all workers, a second one ends them at once. A worker whose ssh is cut off is drained too. One that
# fails is not started again: it is said which host it was and why, the others go on, and the exit status is 1 in the end.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
file=$1 coordinator=$2
shift 2
common=("$@")
keys=${KEYS:-${XDG_CONFIG_HOME:-$HOME/.config}/clusca/keys}
clusca=${CLUSCA:-clusca}
read -ra ssh <<<"${SSH:-ssh}"
ssh+=(-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ServerAliveCountMax=4)
[ -r "$file" ] || { echo "There is no file of hosts $file." >&2; exit 66; }
[ -r "$keys/coordinator.public" ] || { echo "There is no $keys/coordinator.public; set KEYS." >&2; exit 66; }
command -v "$clusca" >/dev/null || { echo "There is no program $clusca; set CLUSCA." >&2; exit 2; }
folder=$(mktemp -d /tmp/clusca-ssh-XXXXXX)
trap 'rm -rf "$folder"' EXIT
# So that Ctrl-C while hosts are asked for their keys ends all of this, and later drains.
trap 'exit 130' INT TERM HUP

# Makes the worker's keys unless it has some, takes the coordinator's public key from its input, and prints its own.
prepare='
  set -eu
  clusca=$1 name=$2
  command -v "$clusca" >/dev/null || { echo "there is no program $clusca" >&2; exit 127; }
  folder=${XDG_CONFIG_HOME:-$HOME/.config}/clusca/keys
  [ -e "$folder/$name.secret" ] || "$clusca" keys new "$name" >/dev/null
  cat >"$folder/$name.coordinator.$$"
  mv "$folder/$name.coordinator.$$" "$folder/$name.coordinator"
  cat "$folder/$name.public"'
# Runs the worker. A line on the input asks it to go, and so does its end, which comes when ssh is cut off; nobody reads what
# is said then.
run='
  clusca=$1 name=$2
  shift 2
  folder=${XDG_CONFIG_HOME:-$HOME/.config}/clusca/keys
  trap "" PIPE
  "$clusca" worker --key "$folder/$name.secret" --coordinator-key "$folder/$name.coordinator" "$@" </dev/null &
  worker=$!
  exec 3<&0
  { while read -r _; do kill -TERM $worker; done; kill -TERM $worker; } <&3 2>/dev/null &
  watcher=$!
  status=0
  { wait $worker; } 2>/dev/null || status=$?
  kill $watcher
  [ $status -lt 128 ] || { echo "the worker was ended by signal $((status - 128))" >&2; status=1; }
  exit $status'
there() { # script, arguments: as one word that any shell takes apart again
  printf '%q ' sh -c "$1" sh "${@:2}"
}

hosts=() names=() programs=() options=() inputs=() pids=()
complain() { echo "$file, line $line: $1" >&2; exit 2; }
line=0
while read -r host words; do
  line=$((line + 1))
  [[ -n $host && $host != \#* ]] || continue
  number=${#hosts[@]} name=${host#*@} program=clusca own=()
  name=${name//[^A-Za-z0-9._-]/-}
  for word in ${words%%#*}; do
    case $word in
    name=?*) name=${word#*=} ;;
    clusca=?*) program=${word#*=} ;;
    threads=?* | memory=?* | link=?* | roles=?* | listen=?* | advertise=?* | model=?*)
      own+=("--${word%%=*}" "${word#*=}")
      ;;
    *) complain "$word is none of name, threads, memory, link, roles, listen, advertise, model and clusca with a value" ;;
    esac
  done
  for other in "${names[@]}"; do
    [ "$other" != "$name" ] || complain "there is a worker $name already; give this one another name="
  done
  hosts[number]=$host names[number]=$name programs[number]=$program
  options[number]=$(printf '%q ' "${own[@]}" "${common[@]}")
done <"$file"
[ ${#hosts[@]} -gt 0 ] || { echo "There are no hosts in $file." >&2; exit 2; }

failures=0
fail() { # number, why
  echo "${names[$1]} (${hosts[$1]}): FAILED: $2" >&2
  failures=$((failures + 1))
}
reason() { # file of what was said, status
  local last
  last=$(grep . "$1" | tail -n 1) || last="status $2, and nothing said"
  printf '%s' "$last"
}

# Keys: of all hosts at once, and then the list.
added=0
for number in "${!hosts[@]}"; do
  "${ssh[@]}" "${hosts[number]}" "$(there "$prepare" "${programs[number]}" "${names[number]}")" \
    <"$keys/coordinator.public" >"$folder/${names[number]}.public" 2>"$folder/$number.said" &
  pids[number]=$!
done
for number in "${!hosts[@]}"; do
  status=0 name=${names[number]}
  wait "${pids[number]}" || status=$?
  unset "pids[number]"
  if [ $status != 0 ]; then
    fail "$number" "$(reason "$folder/$number.said" $status)"
    unset "hosts[number]"
    continue
  fi
  read -r _ _ key <"$folder/$name.public" || key=''
  listed=''
  [ ! -e "$keys/allowed" ] || listed=$(awk -v name="$name" '$1 == name { print $2, $3 }' "$keys/allowed")
  if [ "$listed" != "worker $key" ]; then
    if "$clusca" keys allow "$folder/$name.public" --role worker --allow-list "$keys/allowed" \
      >/dev/null 2>"$folder/$number.said"; then
      added=$((added + 1))
    else
      fail "$number" "its key is not on the list: $(reason "$folder/$number.said" 1)"
      unset "hosts[number]"
    fi
  fi
done
if [ $added -gt 0 ]; then
  if [ -n "${RELOAD:-}" ]; then
    $RELOAD || echo "The coordinator was not told of $added new keys: $RELOAD failed." >&2
  else
    echo "$added keys are new on $keys/allowed: send the coordinator a SIGHUP; workers wait until it lets them in." >&2
  fi
fi

# Workers: one ssh each, with a pipe as its input.
work() { # number
  local input fd status line
  input=$folder/$1.input
  # An end that is open here would keep the others from noticing when this script is gone.
  for fd in "${inputs[@]}"; do exec {fd}>&-; done
  {
    status=0
    "${ssh[@]}" "${hosts[$1]}" "$(there "$run" "${programs[$1]}" "${names[$1]}" --coordinator "$coordinator") ${options[$1]}" \
      <"$input" 2>&1 || status=$?
    echo $status >"$folder/$1.status"
  } | while IFS= read -r line; do
    printf '%s: %s\n' "${names[$1]}" "$line" >&2
    printf '%s\n' "$line" >"$folder/$1.said"
  done
}
trap 'for input in "${inputs[@]}"; do echo end >&"$input"; done' INT TERM HUP
for number in "${!hosts[@]}"; do
  mkfifo "$folder/$number.input"
  exec {input}<>"$folder/$number.input"
  inputs[number]=$input
  : >"$folder/$number.said"
  work "$number" &
  pids[number]=$!
done
while [ ${#pids[@]} -gt 0 ]; do
  # Without a process, when a signal came.
  wait -n -p ended "${pids[@]}" || true
  for number in "${!pids[@]}"; do
    [ "${pids[number]}" = "${ended:-}" ] || continue
    unset "pids[number]"
    status=$(cat "$folder/$number.status" 2>/dev/null || echo 1)
    case $status in
    0) echo "${names[number]} (${hosts[number]}): has ended." >&2 ;;
    255) fail "$number" "ssh has ended: $(reason "$folder/$number.said" 255)" ;;
    129 | 1[3-9][0-9]) fail "$number" "ssh was ended by signal $((status - 128))" ;;
    *) fail "$number" "$(reason "$folder/$number.said" "$status")" ;;
    esac
  done
done
[ $failures = 0 ]
