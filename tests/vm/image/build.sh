#!/usr/bin/env bash
# Build the disk of the tests' machine: Debian with systemd, an ALSA card and GPIO lines to press.
# As root; two minutes. Usage: build.sh FOLDER SUITE
set -euo pipefail

folder=$1
suite=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

packages=(
    systemd systemd-sysv udev kmod procps
    linux-image-amd64 linux-headers-amd64 gcc make
    python3 gpiod
    alsa-utils libportaudio2 libgomp1
)
(IFS=,; echo "Fetching Debian $suite with ${packages[*]}"; exec mmdebstrap --variant=minbase \
    --include="${packages[*]}" --aptopt='APT::Install-Recommends "false"' "$suite" "$tree")
kernel=$(basename "$tree"/lib/modules/*)

echo "Building the GPIO lines for Linux $kernel"
mkdir "$tree/pins"
cp "$here/pins.c" "$tree/pins/"
echo 'obj-m := pins.o' >"$tree/pins/Makefile"
chroot "$tree" make -C "/lib/modules/$kernel/build" M=/pins modules
install -D -m 644 "$tree/pins/pins.ko" "$tree/lib/modules/$kernel/extra/pins.ko"
rm -r "$tree/pins"
chroot "$tree" depmod "$kernel"

# An initial disk of the few drivers that find the real one: an emulated processor unpacks slowly.
sed -i 's/^MODULES=.*/MODULES=list/' "$tree/etc/initramfs-tools/initramfs.conf"
printf 'virtio_pci\nvirtio_blk\next4\n' >>"$tree/etc/initramfs-tools/modules"
chroot "$tree" update-initramfs -u -k "$kernel"

echo '/dev/vda / ext4 defaults 0 1' >"$tree/etc/fstab"
echo box >"$tree/etc/hostname"
install -m 755 "$here/agent.py" "$here/board.sh" "$tree/usr/local/sbin/"
install -m 644 "$here"/*.service "$tree/etc/systemd/system/"
install -m 644 "$here/60-pins.rules" "$tree/etc/udev/rules.d/"
chroot "$tree" groupadd --force --system gpio
chroot "$tree" useradd --create-home --groups gpio,audio person
chroot "$tree" useradd --create-home stranger
chroot "$tree" systemctl --quiet enable board.service agent.service
chroot "$tree" systemctl --quiet mask getty@tty1.service serial-getty@ttyS0.service \
    apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer

mkdir -p "$folder"
cp "$tree/boot/vmlinuz-$kernel" "$folder/kernel"
cp "$tree/boot/initrd.img-$kernel" "$folder/initrd"
truncate -s 4G "$folder/disk"
mkfs.ext4 -q -F -d "$tree" "$folder/disk"
