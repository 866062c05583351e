#!/usr/bin/env bash
# Runs a command beside PipeWire daemons of its own that have one camera, TestCam: 320x240, 25 fps.
#     tests/servers/camera.sh COMMAND ARGUMENTS…
set -euo pipefail
if [ -z "${IN_SESSION:-}" ]; then
    IN_SESSION=1 exec dbus-run-session -- "$0" "$@" 2> >(grep -v 'Failed to set fd limit' >&2)
fi
home=$(mktemp -d)
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -rf "$home"' EXIT
export XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/config
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME/pipewire/pipewire.conf.d"
cat > "$XDG_CONFIG_HOME/pipewire/pipewire.conf.d/camera.conf" << 'END'
context.spa-libs = { videotestsrc = videotestsrc/libspa-videotestsrc }
context.objects = [ { factory = spa-node-factory args = {
    factory.name = videotestsrc node.name = testcam node.description = TestCam media.class = Video/Source } } ]
END
pipewire > "$home/pipewire.log" 2>&1 &
for _ in $(seq 50); do [ -S "$XDG_RUNTIME_DIR/pipewire-0" ] && break || sleep 0.1; done
wireplumber > "$home/wireplumber.log" 2>&1 &
for _ in $(seq 50); do pw-cli ls Node 2> /dev/null | grep -q testcam && break || sleep 0.1; done
sleep 1
"$@"
