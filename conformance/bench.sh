#!/usr/bin/env bash
# Compares the clients with benchstat, and draws docs/performance.svg. Each round runs all
# clients for a short time, one after the other, so that noise affects all of them.
# Usage: bench.sh [rounds]
set -euo pipefail
cd "$(dirname "$0")"

rounds=${1:-20}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

GOEXPERIMENT='' go test -c -o "$tmp/v1" .
GOEXPERIMENT=jsonv2 go test -c -o "$tmp/v2" .
echo 'json: encoding/json' >"$tmp/results"
for _ in $(seq "$rounds"); do
	"$tmp/v1" -test.run '^$' -test.bench . -test.benchtime 200ms -test.cpu 1
done >>"$tmp/results"
echo 'json: jsonv2' >>"$tmp/results"
for _ in $(seq "$rounds"); do
	"$tmp/v2" -test.run '^$' -test.bench . -test.benchtime 200ms -test.cpu 1
done >>"$tmp/results"

cd chart
go tool benchstat -table json -filter '.unit:(cpu-ns/op OR allocs/op)' \
	-col '/client@(net-http secretsstore cloudflare-go)' "$tmp/results"
go run . -svg ../../docs/performance.svg "$tmp/results"
