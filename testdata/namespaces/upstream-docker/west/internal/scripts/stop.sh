#!/usr/bin/env sh

set -o errexit
set -o nounset

for container in $(docker container ls --filter label=application=skupper-v2 --filter label=skupper.io/site-id=b481312a-b2b6-48d2-9b6a-09964c722ae2 --format {{.Names}} --all); do
    docker stop -t 10 ${container}
done
