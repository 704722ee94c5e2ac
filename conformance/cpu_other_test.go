//go:build !unix

package conformance

import "time"

var processStart = time.Now()

// cpuTime returns the elapsed time, where the CPU time is not known.
func cpuTime() time.Duration { return time.Since(processStart) }
