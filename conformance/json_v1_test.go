//go:build !goexperiment.jsonv2

package conformance

// ofCloudflareGo is how much of cloudflare-go's allocations a patch may have.
const ofCloudflareGo = 0.35
