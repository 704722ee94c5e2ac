package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a redis-server of this run alone: on a socket that nobody else may
// open, in a folder that is gone afterwards.
type redisServer struct {
	socket string
	cmd    *exec.Cmd
	ended  chan struct{}
}

func startRedis(ctx context.Context) (*redisServer, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not on this machine; install it and try again:\n" +
			"  Debian, Ubuntu  apt-get install redis-server\n" +
			"  Fedora          dnf install redis\n" +
			"  Alpine          apk add redis\n" +
			"  macOS           brew install redis")
	}
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return nil, err
	}
	s := &redisServer{socket: filepath.Join(dir, "redis"), ended: make(chan struct{})}
	s.cmd = exec.Command(path, "--port", "0", "--unixsocket", s.socket, "--dir", dir, "--save", "", "--appendonly", "no")
	var out bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	// A Ctrl-C is for the program, which still needs Redis to end well.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("starting redis-server: %w", err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.ready(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("starting redis-server: %w\n%s", err, out.String())
	}
	return s, nil
}

// ready waits until the server answers.
func (s *redisServer) ready(ctx context.Context) error {
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, MaxRetries: -1, DialerRetries: 1})
	defer rdb.Close()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(s.socket); err == nil && rdb.Ping(ctx).Err() == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-s.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stop ends the server and removes what it left.
func (s *redisServer) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	os.RemoveAll(filepath.Dir(s.socket))
}
