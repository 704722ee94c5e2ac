//go:build !race

package conformance

// raceEnabled reports whether the race detector is enabled.
const raceEnabled = false
