#!/usr/bin/env sh

set -o errexit
set -o nounset

for container in $(podman container ls --filter label=application=skupper-v2 --filter label=skupper.io/site-id=d0ad83e3-fb6b-4d73-abaa-79514bf541b5 --format {{.Names}} --all); do
    podman stop -t 10 ${container}
done
