// Package conformance tests the client against what it must agree with: the OpenAPI document
// of the API, Cloudflare's own SDK, real connections that fail, and the cost of the same
// calls in hand-written code.
package conformance
