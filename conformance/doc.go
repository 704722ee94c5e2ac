// Package conformance compares the client with what it must agree with: the API's
// contract, Cloudflare's own SDK, and what the same calls cost by hand.
package conformance
