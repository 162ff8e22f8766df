#!/bin/sh
# Renders over three network namespaces of this machine, as over three hosts: CURVE everywhere, a link of RATE between them.
# Needs root, iproute2 and Python 3. Everything is made in its own namespaces and taken away at the end.
#
#   Cluster/namespaces.sh [clusca] [RATE] [OPTION…]      e.g. Cluster/namespaces.sh .build/release/clusca 100mbit --steps 20
#
# Options are those of a picture. MODEL names a checkpoint other than the default model.
set -eu
clusca=$(realpath "${1:-.build/release/clusca}")
rate=${2:-100mbit}
[ $# -lt 2 ] || shift
[ $# -lt 1 ] || shift
model=${MODEL:+--model=$MODEL}
served=${MODEL:+--model=$(basename "${MODEL:-}")}
here=$(dirname "$0")
folder=$(mktemp -d /tmp/clusca-namespaces-XXXXXX)
name=clns$$

end() {
  # Only what this script has started.
  kill $(cat "$folder"/*.pid 2>/dev/null) 2>/dev/null || true
  for host in 0 1 2 switch; do ip netns del "$name-$host" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap end EXIT INT TERM

# The switch lies in a namespace of its own, so that nothing can leave.
ip netns add "$name-switch"
ip -n "$name-switch" link add br0 type bridge
ip -n "$name-switch" link set br0 up
for host in 0 1 2; do
  ip netns add "$name-$host"
  ip -n "$name-switch" link add "p$host" type veth peer name eth0 netns "$name-$host"
  ip -n "$name-switch" link set "p$host" master br0 up
  ip -n "$name-$host" addr add "198.18.0.1$host/24" dev eth0
  ip -n "$name-$host" link set eth0 up
  ip -n "$name-$host" link set lo up
  tc -n "$name-$host" qdisc add dev eth0 root tbf rate "$rate" burst 256kb latency 100ms
  tc -n "$name-switch" qdisc add dev "p$host" root tbf rate "$rate" burst 256kb latency 100ms
done

for node in coordinator worker-1 worker-2 client; do "$clusca" keys new "$node" --folder "$folder" >/dev/null; done
for worker in worker-1 worker-2; do
  "$clusca" keys allow "$folder/$worker.public" --role worker --allow-list "$folder/allowed" >/dev/null
done
"$clusca" keys allow "$folder/client.public" --role client --allow-list "$folder/allowed" >/dev/null

ip netns exec "$name-0" "$clusca" coordinator --listen tcp://198.18.0.10:8766 --replicas 1 --key "$folder/coordinator.secret" \
  --allow-list "$folder/allowed" --state "$folder/state" --trace "$folder/trace.json" $model 2>"$folder/coordinator.log" &
echo $! >"$folder/0.pid"
for number in 1 2; do
  ip netns exec "$name-$number" "$clusca" worker --coordinator tcp://198.18.0.10:8766 --threads 1 \
    --key "$folder/worker-$number.secret" --coordinator-key "$folder/coordinator.public" $model 2>"$folder/worker-$number.log" &
  echo $! >"$folder/$number.pid"
done
ask() { # command, options…
  command=$1
  shift
  ip netns exec "$name-1" "$clusca" "$command" --coordinator tcp://198.18.0.10:8766 --key "$folder/client.secret" \
    --coordinator-key "$folder/coordinator.public" "$@"
}
tries=0
until [ "$(ask status 2>/dev/null | grep -c '^worker-')" = 2 ]; do
  tries=$((tries + 1))
  [ $tries -lt 60 ] || { cat "$folder"/*.log >&2; exit 1; }
  sleep 0.5
done
bytes() { ip -n "$name-$1" -s -j link show eth0 | tr ',' '\n' | awk -F: '/"tx"/ { t = 1 } t && /"bytes"/ { print $NF; exit }'; }
picture="a pizza on a blue background"
start=$(date +%s)
ask submit --prompt "$picture" --output "$folder/cluster" --quiet $served "$@" >/dev/null
echo "It took $(($(date +%s) - start)) s over links of $rate."
for host in 0 1 2; do echo "Host $host sent $(bytes "$host") bytes."; done
ask status
kill "$(cat "$folder/0.pid")"
wait "$(cat "$folder/0.pid")" || true
python3 "$here/step_times.py" "$folder/trace.json"
# The name of the model is written into the picture.
(cd "$(dirname "${MODEL:-.}")" && "$clusca" generate --prompt "$picture" --output "$folder/local" --quiet $served "$@") >/dev/null
cmp "$folder/cluster" "$folder/local" && echo "It is the picture of one process, byte for byte."
