//go:build !race

package conformance

// underRace says that the race detector is on, which allocates by itself.
const underRace = false
