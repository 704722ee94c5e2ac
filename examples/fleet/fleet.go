package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// fleet is the workers, as what starts them sees them.
type fleet struct {
	settings settings
	stderr   io.Writer
	workers  []*worker
	crashed  chan error
}

// worker is one process.
type worker struct {
	cmd   *exec.Cmd
	leash io.Closer     // its standard input: it ends when this is closed
	ended chan struct{} // closed when it has ended
	asked chan struct{} // closed when it was asked to, or killed
}

// start starts one more worker.
func (f *fleet) start() error {
	if f.crashed == nil {
		f.crashed = make(chan error, 1)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	cmd.Stdout, cmd.Stderr = f.stderr, f.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting a worker: %w", err)
	}
	w := &worker{cmd: cmd, leash: in, ended: make(chan struct{}), asked: make(chan struct{})}
	f.workers = append(f.workers, w)
	go func() {
		err := cmd.Wait()
		close(w.ended)
		select {
		case <-w.asked:
			return
		default:
		}
		select {
		case f.crashed <- fmt.Errorf("worker %d has ended by itself: %v", cmd.Process.Pid, err):
		default:
		}
	}()
	return json.NewEncoder(in).Encode(f.settings)
}

// failed tells of a worker that ended by itself.
func (f *fleet) failed() <-chan error { return f.crashed }

// replace kills a worker, as a machine that loses power does, and starts another one
// as its supervisor would.
func (f *fleet) replace() (killed int, err error) {
	w := f.workers[0]
	f.workers = f.workers[1:]
	w.end(w.cmd.Process.Kill)
	return w.cmd.Process.Pid, f.start()
}

// stop lets all workers finish what they have in hand.
func (f *fleet) stop() {
	workers := f.workers
	f.workers = nil
	for _, w := range workers {
		close(w.asked)
		_ = w.leash.Close()
	}
	for _, w := range workers {
		select {
		case <-w.ended:
		case <-time.After(15 * time.Second): // asynq itself waits for 8
			_ = w.cmd.Process.Kill()
			<-w.ended
		}
	}
}

func (w *worker) end(how func() error) {
	close(w.asked)
	_ = how()
	<-w.ended
	_ = w.leash.Close()
}
