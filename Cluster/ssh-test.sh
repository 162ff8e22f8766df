#!/bin/bash
# Tries ssh.sh between network namespaces of this machine: three hosts, each with an sshd, host keys and a home of its own,
# and one that is not there. Kills a worker while a picture is made, cuts an ssh off, ends the last worker in the middle of a
# picture, and compares the pictures with those of one process. Needs root, iproute2 and Debian's openssh-server.
#
#   Cluster/ssh-test.sh [clusca]      e.g. Cluster/ssh-test.sh .build/release/clusca
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
clusca=$(realpath "${1:-$here/../.build/release/clusca}")
sshd=/usr/sbin/sshd
[ -x $sshd ] || { echo "$sshd is missing: apt-get install openssh-server" >&2; exit 2; }
[ -x "$clusca" ] || { echo "There is no program $clusca; build it, or name another as the first argument." >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "Only root can make network namespaces." >&2; exit 2; }
folder=$(mktemp -d /tmp/clusca-ssh-test-XXXXXX)
net=clssh$$
address=tcp://198.18.0.10:8766
settings=(--prompt "a pizza on a blue background" --size 64x64 --no-metadata --quiet)
home=$(getent passwd root | cut -d: -f6)

end() {
  exec 2>/dev/null
  for host in c 1 2 3; do
    # All processes of these namespaces are this script's.
    kill -9 $(ip netns pids "$net-$host") || true
    ip netns del "$net-$host" || true
  done
  ip netns del "$net-switch" || true
  wait || true
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT TERM
fail() { echo "$1" >&2; tail -n 20 "$folder"/*.log >&2; exit 1; }
until_true() { # seconds, what is waited for, command…
  local left=$((5 * $1)) text=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || fail "waited in vain: $text"
    sleep 0.2
  done
}

# The switch lies in a namespace of its own, so that nothing can leave.
ip netns add "$net-switch"
ip -n "$net-switch" link add br0 type bridge
ip -n "$net-switch" link set br0 up
number=0
for host in c 1 2 3; do
  ip netns add "$net-$host"
  ip -n "$net-switch" link add "p$host" type veth peer name eth0 netns "$net-$host"
  ip -n "$net-switch" link set "p$host" master br0 up
  ip -n "$net-$host" addr add "198.18.0.1$number/24" dev eth0
  ip -n "$net-$host" link set eth0 up
  ip -n "$net-$host" link set lo up
  number=$((number + 1))
done

# Each sshd sees a home of its own. `ip netns exec` gives it mounts of its own, which go with it.
mkdir "$folder/client"
ssh-keygen -q -t ed25519 -N '' -f "$folder/client/key"
for host in 1 2 3; do
  mkdir -m 700 "$folder/home-$host"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/host-$host.key"
  cat >"$folder/sshd-$host" <<CONF
Port 2222
ListenAddress 198.18.0.1$host
HostKey $folder/host-$host.key
AuthorizedKeysFile $folder/client/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
CONF
  echo "[198.18.0.1$host]:2222 $(cat "$folder/host-$host.key.pub")" >>"$folder/client/known"
  ip netns exec "$net-$host" sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount --bind "$1" "$2" && exec "$3" -D -e -f "$4"' \
    sh "$folder/home-$host" "$home" $sshd "$folder/sshd-$host" 2>"$folder/sshd-$host.log" &
done
{
  for host in 1 2 3 9; do echo "Host node-$host"; echo "  HostName 198.18.0.1$host"; done
  echo "Host *"
  echo "  Port 2222"
  echo "  User root"
  echo "  IdentityFile $folder/client/key"
  echo "  UserKnownHostsFile $folder/client/known"
} >"$folder/client/config"
cat >"$folder/hosts" <<HOSTS
# Three that are there, and one that is not
node-1 threads=1 clusca=$clusca
node-2 name=second threads=1 clusca=$clusca

node-3 threads=1 clusca=$clusca advertise=tcp://198.18.0.13:9001 listen=tcp://198.18.0.13:9001 # a port of its own
node-9 clusca=$clusca
HOSTS

keys=$folder/keys
for node in coordinator client; do "$clusca" keys new "$node" --folder "$keys" >/dev/null; done
"$clusca" keys allow "$keys/client.public" --role client --allow-list "$keys/allowed" >/dev/null
ip netns exec "$net-c" "$clusca" coordinator --listen "$address" --key "$keys/coordinator.secret" --threads 1 \
  --allow-list "$keys/allowed" --state "$folder/state" --failure-interval 0 2>"$folder/coordinator.log" &
coordinator=$!
ask() { # command, options…
  local command=$1
  shift
  ip netns exec "$net-c" "$clusca" $command --coordinator "$address" --key "$keys/client.secret" \
    --coordinator-key "$keys/coordinator.public" "$@"
}
launch() { # file of hosts, log
  # A shell's background jobs begin with SIGINT ignored, which is not what a terminal does.
  ip netns exec "$net-c" env --default-signal=INT KEYS="$keys" CLUSCA="$clusca" SSH="ssh -F $folder/client/config" \
    RELOAD="kill -HUP $coordinator" "$here/ssh.sh" "$1" "$address" --gflops 20 2>"$2" &
  launcher=$!
}
here_are() { [ "$(ask status --json | grep -o '"threads":' | wc -l)" = "$1" ]; }
computing() { ask status --json | grep -q '"state":"running","steps":[0-9]*,"steps_done":[1-9]'; }
processes() { # host, pattern of the command
  local pid
  for pid in $(ip netns pids "$net-$1"); do
    ! tr '\0' ' ' 2>/dev/null </proc/"$pid"/cmdline | grep -q "$2" || echo "$pid"
  done
}
workers_on() { processes "$1" '^[^ ]*clusca worker'; }
none_on() { [ -z "$(workers_on "$1")" ]; }
said() { grep -q -F "$1" "$folder/ssh.log"; }
begin_picture() { # name, steps
  ask submit "${settings[@]}" --steps "$2" --output "$folder/$1.png" >/dev/null &
  client=$!
  until_true 30 "steps that are done" computing
}
check_picture() { # name, steps
  wait $client || fail "submit has failed"
  "$clusca" generate "${settings[@]}" --steps "$2" --output "$folder/one.png" --force >/dev/null
  cmp "$folder/one.png" "$folder/$1.png" || fail "the picture $1 differs"
}

launch "$folder/hosts" "$folder/ssh.log"
until_true 60 "three workers" here_are 3
said "node-9 (node-9): FAILED: ssh: connect to host 198.18.0.19" || fail "it is not said that node-9 cannot be reached"
for worker in 1:node-1 2:second 3:node-3; do
  secret=$folder/home-${worker%:*}/.config/clusca/keys/${worker#*:}.secret
  [ "$(stat -c %a "$secret")" = 600 ] || fail "$secret can be read by others"
  ! grep -r -q -F -e "$(awk '{ print $3 }' "$secret")" "$keys" "$folder"/*.log || fail "the secret of ${worker#*:} is elsewhere too"
done
echo "three workers are here, each with a secret of its own; the fourth host is named"

begin_picture killed 400
kill -9 "$(workers_on 2)"
check_picture killed 400
until_true 10 "word of the killed worker" said "second (node-2): FAILED: the worker was ended by signal 9"
none_on 2 || fail "the killed worker has been started again"
echo "one was killed, and that is said; the picture is that of one process"

kill -9 "$(processes c '^ssh .* node-3 ')"
until_true 20 "the end of the worker whose ssh was cut off" none_on 3
grep -q "node-3 is being drained" "$folder/coordinator.log" || fail "it was not drained"
until_true 10 "word of the ssh that was cut off" said "node-3 (node-3): FAILED: ssh was ended by signal 9"
echo "one was cut off from ssh, and has drained itself"

begin_picture drained 200
kill -TERM $launcher
status=0
wait $launcher || status=$?
[ $status = 1 ] || fail "ssh.sh ended with status $status in spite of three failures"
none_on 1 || fail "a worker is left"
check_picture drained 200
echo "the last one was told to go in the middle of a picture, and has made it"

grep -v node-9 "$folder/hosts" >"$folder/hosts-again"
launch "$folder/hosts-again" "$folder/ssh-again.log"
until_true 60 "three workers again" here_are 3
kill -INT $launcher
status=0
wait $launcher || status=$?
[ $status = 0 ] || fail "ssh.sh ended with status $status"
for host in 1 2 3; do none_on $host || fail "a worker is left on node-$host"; done
echo "all three came with the same keys, and went at Ctrl-C"
