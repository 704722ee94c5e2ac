//go:build race

package secretsstore

const raceEnabled = true
