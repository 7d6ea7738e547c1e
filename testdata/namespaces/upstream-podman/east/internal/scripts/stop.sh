#!/usr/bin/env sh

set -o errexit
set -o nounset

for container in $(podman container ls --filter label=application=skupper-v2 --filter label=skupper.io/site-id=3af63985-c967-4894-bdba-7c1e8d98fc6e --format {{.Names}} --all); do
    podman stop -t 10 ${container}
done
