package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// commandEnv makes the test binary the command, and so the workers that it starts.
const commandEnv = "FLEET_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A worker is killed in the middle. That its tasks take another minute is due to asynq.
func TestWorkerIsKilled(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("redis-server is not installed (Debian: apt-get install redis-server)")
	}
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), commandEnv+"=1")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	started := time.Now()

	progress := regexp.MustCompile(`^(\d+) of 2000 patches left, 0 failed, responses by status: (.*)$`)
	var worker, left, killed int
	var statuses string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		t.Logf("%5.1fs %s", time.Since(started).Seconds(), lines.Text())
		if worker == 0 {
			_, _ = fmt.Sscanf(lines.Text(), "worker %d started", &worker)
		}
		if match := progress.FindStringSubmatch(lines.Text()); match != nil {
			_, err := fmt.Sscan(match[1], &left)
			require.NoError(t, err)
			statuses = match[2]
		}
		if killed == 0 && 0 < left && left < 1000 {
			process, err := os.FindProcess(worker)
			require.NoError(t, err)
			require.NoError(t, process.Kill())
			killed = worker
		}
	}
	require.NoError(t, cmd.Wait())
	assert.NotZero(t, killed)
	assert.Zero(t, left)
	assert.Regexp(t, `^map\[(0:\d+ )?200:2\d{3}\]$`, statuses, "no other status than 200, or none for what was in flight")
}

func TestRedisIsNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, run(""), "apt-get install redis-server")
}
