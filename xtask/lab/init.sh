#!/usr/bin/busybox sh
# Process 1 of the lab's guest until busybox's init takes over: file systems, then /etc/inittab.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
# A pod's mounts have to reach containers, as under systemd.
mount --make-rshared /
mkdir -p /var/log/lab
exec busybox init
