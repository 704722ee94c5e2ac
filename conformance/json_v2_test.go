//go:build goexperiment.jsonv2

package conformance

// ofCloudflareGo is how much of cloudflare-go's allocations a patch may have. The
// next encoding/json helps ours more, as theirs has a decoder of its own.
const ofCloudflareGo = 0.3
