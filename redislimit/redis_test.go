package redislimit

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// server is a redis-server of a test, on a socket in a folder of its own. It keeps
// nothing on disk, so that it is empty when it starts again.
type server struct {
	t      testing.TB
	socket string
	cmd    *exec.Cmd
	out    bytes.Buffer
}

func startRedis(t testing.TB) *server {
	if _, err := exec.LookPath("redis-server"); err != nil {
		const install = "redis-server is not installed (Debian: apt-get install redis-server)"
		if os.Getenv("CI") == "true" {
			t.Fatal(install)
		}
		t.Skip(install)
	}
	// A test's own folder can have a path that is too long for a socket.
	dir, err := os.MkdirTemp("", "redis")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, socket: filepath.Join(dir, "socket")}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start starts the server, and returns when it answers.
func (s *server) start(args ...string) {
	s.out.Reset()
	s.cmd = exec.Command("redis-server", append([]string{
		"--port", "0", "--unixsocket", s.socket, "--dir", filepath.Dir(s.socket), "--save", "", "--appendonly", "no",
	}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	require.NoError(s.t, s.cmd.Start())
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket})
	defer rdb.Close()
	require.Eventually(s.t, func() bool { return rdb.Ping(context.Background()).Err() == nil }, time.Minute, 5*time.Millisecond)
}

// kill ends the server as a crash does.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// client connects to the server, without trying again by itself.
func (s *server) client() *redis.Client {
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, MaxRetries: -1})
	s.t.Cleanup(func() { rdb.Close() })
	return rdb
}
