#!/usr/bin/env bash
# What takes real controllers of cgroup v2 (memory.max, cpu.max, pids.max), where the machine at hand has handed none down: in
# a small virtual machine, whose kernel has them all.
#
#   tests/cgroups.sh VMLINUZ        a kernel image, for example of Debian's linux-image-cloud-amd64
#
# Takes qemu-system-x86_64 and cpio. Each test runs in a group that was delegated to it and has nobody else in it. Fails if a
# test fails or is skipped, or if a group of ours is left.
set -euo pipefail
kernel=$(realpath "${1:?which kernel image?}")
cd "$(dirname "$0")/.."

built=$(cargo test --no-run --test process --message-format=json)
test_binary=$(grep -o '"executable":"[^"]*/process-[^"]*"' <<<"$built" | tail -1 | cut -d'"' -f4)
binary=$PWD/target/debug/e2e-tui

root=$(mktemp -d)
chmod 755 "$root"             # some tests become somebody else
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{proc,sys,dev,tmp,root,etc,bin,usr/bin}
put() {                       # a file at its own path, and the libraries that it takes
    local file
    for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ )]*'); do
        mkdir -p "$root$(dirname "$file")"
        cp -Ln "$file" "$root$file" 2>/dev/null || true
    done
}
for program in sh sed sleep tail head env setsid prlimit cat test true ls mkdir mount find timeout rmdir grep poweroff sync; do
    path=$(command -v "$program" || true)
    case $path in
        /*) put "$path" ;;
        *) for at in /usr/bin /bin /sbin /usr/sbin; do [ -x "$at/$program" ] && put "$at/$program"; done ;;
    esac
done
cp -Ln "$root"/usr/bin/* "$root/bin/"
put "$binary"
put "$test_binary"
cp -L tests/cgroups.d/*.toml "$root/root/"
echo 'root:x:0:0::/root:/bin/sh' >"$root/etc/passwd"

cat >"$root/init" <<EOF
#!/bin/sh
export PATH=/bin:/usr/bin HOME=/root TERM=dumb
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
echo '+memory +cpu +pids' >/sys/fs/cgroup/cgroup.subtree_control
n=0
alone() {                     # a command in a group of its own, as somebody would get it from systemd
    n=\$((n + 1))
    mkdir /sys/fs/cgroup/delegated-\$n
    echo "== \$*"
    timeout 300 sh -c 'echo 0 >/sys/fs/cgroup/delegated-'\$n'/cgroup.procs; exec "\$@"' alone "\$@" </dev/null
    echo "== ended with \$?"
    left=\$(find /sys/fs/cgroup -name 'e2e-tui-*')
    [ -z "\$left" ] || echo "== LEFT \$left"
}
cd /root
for test in \$($test_binary --list 2>/dev/null | grep -E '^tiers::.*: test' | grep -oE '^[^ ]+[a-z]' | grep -vE 'npm_npx|setuid'); do
    alone $test_binary --exact "\$test" --test-threads=1
done
for scenario in *.toml; do
    alone $binary run "\$scenario" --recordings-dir /tmp/recordings
done
echo "== all done"
poweroff -f 2>/dev/null || echo o >/proc/sysrq-trigger
sleep 60
EOF
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >target/cgroups.cpio
# Emulated: slow, but so it runs within virtual machines, too.
timeout 1800 qemu-system-x86_64 -accel tcg -m 1536 -smp 2 -kernel "$kernel" -initrd target/cgroups.cpio -nographic -no-reboot \
    -nic none -append "console=ttyS0 quiet panic=-1 oops=panic" </dev/null | tee target/cgroups.serial
tr -d '\r' <target/cgroups.serial >target/cgroups.log
rm -f target/cgroups.cpio
for told in 'memory limit 32 MiB, killed by the kernel' 'cpu | 50000 100000' 'forks .*annot fork' '^== all done'; do
    grep -q "$told" target/cgroups.log || { echo "nobody said: $told" >&2; exit 1; }
done
! grep -E '^== LEFT|^test result: FAILED|^SKIPPED' target/cgroups.log
