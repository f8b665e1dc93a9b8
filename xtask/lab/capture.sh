#!/bin/bash
# Captures SYN, RST and ICMP on the veth of every pod, those that come later too, into the folder $1: ADDRESS.pcap
# and what tcpdump says at its end in ADDRESS.txt. A line on standard output for each start. Ends when its input does.
folder=$1
mkdir -p "$folder"
declare -A known
stopping=
(
  cat >/dev/null
  kill -USR1 $$
) &
trap 'stopping=1' USR1 TERM INT
while [ -z "$stopping" ]; do
  for namespace in /run/netns/cni-*; do
    [ -e "$namespace" ] && [ -z "${known[$namespace]}" ] || continue
    # eth0@if7 … inet 10.102.0.5/24
    line=$(nsenter --net="$namespace" ip -4 -o address show eth0 2>/dev/null) || continue
    read -r _ _ _ address _ <<<"$line"
    link=$(nsenter --net="$namespace" ip -o link show eth0 2>/dev/null)
    link=${link#*@if}
    link=${link%%:*}
    veth=$(ip -o link | sed -n "s/^$link: \([^@:]*\).*/\1/p")
    [ -n "$address" ] && [ -n "$veth" ] || continue
    address=${address%/*}
    known[$namespace]=1
    tcpdump -i "$veth" -n -U -B 8192 -s 128 -w "$folder/$address.pcap" \
      'tcp[tcpflags] & (tcp-syn|tcp-rst) != 0 or icmp' 2>"$folder/$address.txt" </dev/null &
    echo "$address $veth"
  done
  sleep 0.1
done
for job in $(jobs -p); do kill -INT "$job" 2>/dev/null; done
wait
