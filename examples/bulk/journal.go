package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// journal is the file by which a run can be gone on with; the package's
// documentation says what can be relied on. A nil journal keeps nothing. It is not
// safe for concurrent use.
type journal struct {
	name string
	file *os.File

	job      job
	planned  []planned
	complete bool                 // the whole plan is there
	known    map[string]bool      // the ids of planned
	isDone   map[string]bool      // by id
	failures map[string]string    // by id, of those that are not done
	synced   time.Time            // when the file was last brought to the disk
	err      error                // of the first write that failed; none is tried after it
	now      func() time.Time     // for synced
	sync     func(*os.File) error // os.File.Sync
}

// entry is a line of a journal: one of its groups.
type entry struct {
	Header *header `json:"bulk,omitempty"`

	Plan string `json:"plan,omitempty"` // an id
	Name string `json:"name,omitempty"`

	Planned *int `json:"planned,omitempty"` // ends the plan

	Resumed *time.Time `json:"resumed,omitempty"`

	Done string `json:"done,omitempty"`
	Kept bool   `json:"kept,omitempty"` // it was as it should be, and was not patched

	Failed string `json:"failed,omitempty"`
	Error  string `json:"error,omitempty"`
}

// header is the first line.
type header struct {
	Version int       `json:"version"`
	Started time.Time `json:"started"`
	job
}

const journalVersion = 1

// syncEvery is how much of what it did a run can forget if the machine loses power.
const syncEvery = time.Second

func newJournal(name string, file *os.File) *journal {
	return &journal{
		name: name, file: file,
		known: map[string]bool{}, isDone: map[string]bool{}, failures: map[string]string{},
		now: time.Now, sync: (*os.File).Sync,
	}
}

func journalIsThere(name string) error {
	return fmt.Errorf("journal %s is there already: go on with it by -resume, or name another", name)
}

// createJournal makes a new journal, and has its plan on the disk when it returns.
func createJournal(name string, about job, all []planned) (*journal, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, journalIsThere(name)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := newJournal(name, file)
	about.Select = about.Select.bound()
	entries := []entry{{Header: &header{Version: journalVersion, Started: time.Now().UTC().Truncate(time.Second), job: about}}}
	for _, p := range all {
		entries = append(entries, entry{Plan: p.ID, Name: p.Name})
	}
	n := len(all)
	entries = append(entries, entry{Planned: &n})
	if err := j.begin(entries); err != nil {
		file.Close()
		return nil, fmt.Errorf("journal %s: %w", name, err)
	}
	return j, nil
}

func (j *journal) begin(entries []entry) error {
	if err := lock(j.file); err != nil {
		return err
	}
	for _, e := range entries {
		if err := j.take(e); err != nil {
			return err
		}
	}
	if err := j.write(entries...); err != nil {
		return err
	}
	if err := j.sync(j.file); err != nil {
		return err
	}
	j.synced = j.now()
	return syncFolder(filepath.Dir(j.name))
}

// openJournal opens a journal to go on with it. As long as it is open nobody else
// can.
func openJournal(name string) (*journal, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := newJournal(name, file)
	if err := j.goOn(); err != nil {
		file.Close()
		return nil, fmt.Errorf("journal %s: %w", name, err)
	}
	return j, nil
}

func (j *journal) goOn() error {
	if info, err := j.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, errors.New("it is no regular file"))
	}
	if err := lock(j.file); err != nil {
		return err
	}
	text, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	whole, err := j.read(text)
	if err != nil {
		return err
	}
	if !j.complete {
		return errors.New("its run ended before the plan was whole, and patched nothing: start a new one")
	}
	if err := j.file.Truncate(int64(whole)); err != nil {
		return err
	}
	if text[whole-1] != '\n' {
		if _, err := j.file.WriteString("\n"); err != nil {
			return err
		}
	}
	now := time.Now().UTC().Truncate(time.Second)
	return j.write(entry{Resumed: &now})
}

// read takes what is in a journal, and returns how much of it is whole. What can't
// be read at its end was being written when the run ended; before the end, it is
// damage that nothing good can be made of.
func (j *journal) read(text []byte) (whole int, err error) {
	torn, number, at := 0, 0, 0
	for line := range bytes.Lines(text) {
		number++
		at += len(line)
		e, ok := parseEntry(line)
		switch {
		case !ok && torn == 0:
			torn = number
		case !ok:
		case torn != 0:
			return 0, fmt.Errorf("line %d is damaged: start a new run, which skips what is as it should be", torn)
		default:
			if err := j.take(e); err != nil {
				return 0, fmt.Errorf("line %d: %w", number, err)
			}
			whole = at
		}
	}
	return whole, nil
}

// parseEntry reads a line. One that lacks its end of line, but nothing else, is
// whole: its closing brace is there.
func parseEntry(line []byte) (e entry, ok bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if d.Decode(&e) != nil {
		return e, false
	}
	_, err := d.Token()
	return e, errors.Is(err, io.EOF)
}

// take has the journal know of an entry that is in the file, or will be.
func (j *journal) take(e entry) error {
	begun := j.job.Store != ""
	switch {
	case e.Header != nil && e.Header.Version != journalVersion:
		return fmt.Errorf("it has version %d: this program knows version %d", e.Header.Version, journalVersion)
	case e.Header != nil && !begun && e.Header.Store != "":
		j.job = e.Header.job
	case e.Plan != "" && begun && !j.complete && !j.known[e.Plan]:
		j.planned = append(j.planned, planned{e.Plan, e.Name})
		j.known[e.Plan] = true
	case e.Planned != nil && begun && !j.complete && *e.Planned == len(j.planned):
		j.complete = true
	case e.Resumed != nil && j.complete:
	case j.complete && j.known[e.Done]:
		j.isDone[e.Done] = true
		delete(j.failures, e.Done)
	case j.complete && j.known[e.Failed] && !j.isDone[e.Failed]:
		j.failures[e.Failed] = e.Error
	default:
		return errors.New("it can't be there: this is no journal of this program, or it was changed")
	}
	return nil
}

// pending returns what is not done.
func (j *journal) pending() []planned {
	return slices.DeleteFunc(slices.Clone(j.planned), func(p planned) bool { return j.isDone[p.ID] })
}

// done says that a secret is as it should be.
func (j *journal) done(id string, kept bool) error {
	return j.add(entry{Done: id, Kept: kept})
}

// failed says that a secret could not be patched. It does not keep a journal that
// goes on from trying it again.
func (j *journal) failed(id string, why error) error {
	const most = 500 // bytes: an answer can be long
	text := why.Error()
	return j.add(entry{Failed: id, Error: text[:min(most, len(text))]})
}

func (j *journal) add(e entry) error {
	if j == nil {
		return nil
	}
	if err := j.write(e); err != nil {
		return err
	}
	if now := j.now(); now.Sub(j.synced) >= syncEvery {
		j.synced = now
		if err := j.sync(j.file); err != nil {
			j.err = fmt.Errorf("journal %s: %w", j.name, err)
			return j.err
		}
	}
	return j.take(e)
}

// write hands entries to the operating system at once, whatever happens to this
// process then. Nothing is written after an error, so that a line that is cut off
// stays the last one.
func (j *journal) write(entries ...entry) error {
	if j.err != nil {
		return j.err
	}
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, e := range entries {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	if _, err := j.file.Write(text.Bytes()); err != nil {
		j.err = fmt.Errorf("journal %s: %w", j.name, err)
	}
	return j.err
}

// close brings the journal to the disk and lets go of it. Closing twice is closing
// once.
func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	err := errors.Join(j.sync(j.file), j.file.Close())
	j.file = nil
	return err
}

// syncFolder brings the name of a new file to the disk, where the system can.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	_ = folder.Sync() // some systems, and some file systems, have no such thing
	return nil
}
