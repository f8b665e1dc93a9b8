#!/usr/bin/busybox sh
# Starts the node: network, containerd, images, kubelet, kube-proxy. Writes its progress to /var/log/lab/start.log.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
exec >>/var/log/lab/start.log 2>&1
said() { read -r up _ </proc/uptime; echo "[$up] $*"; }

hostname @NODE@
ip link set lo up
modprobe virtio_net
until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done
ip link set eth0 up
ip address add @GUEST_IP@/24 dev eth0
ip route add default via @HOST_IP@
said network
for module in overlay br_netfilter veth nf_conntrack ip_vs ip_vs_rr ip_set xt_set dummy nf_tables; do
  modprobe "$module" || said "no module $module"
done
echo 1 >/proc/sys/net/ipv4/ip_forward
# Replies between pods on one bridge have to pass IPVS again.
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
said modules

keep() {
  name=$1
  shift
  while :; do
    "$@" >>"/var/log/lab/$name.log" 2>&1
    said "$name ended with $?"
    sleep 1
  done
}

keep containerd containerd --config /lab/containerd.toml &
until ctr version >/dev/null 2>&1; do sleep 0.2; done
said containerd
for image in /lab/images/*.tar; do
  ctr -n k8s.io images import "$image" >/dev/null || said "import of $image failed"
done
rm -rf /lab/images
said images
keep kubelet kubelet --kubeconfig /lab/kubelet.kubeconfig --config /lab/kubelet.yaml \
  --hostname-override @NODE@ --node-ip @GUEST_IP@ &
keep kube-proxy kube-proxy --config /lab/kube-proxy.yaml &
said started
wait
