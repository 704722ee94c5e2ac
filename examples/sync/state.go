package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go"
)

// state remembers which values were written, so that a change can be noticed though
// the API tells no value. It holds a keyed digest of each, and no value. A nil state
// remembers nothing.
type state struct {
	path string

	Version int `json:"version"`
	// Key is random, so that equal values have other digests in another state file, and
	// no table of digests made beforehand helps anybody.
	Key []byte `json:"key"`
	// Digests are by store and secret id: a secret that was deleted and made anew by
	// somebody else is another.
	Digests map[string][]byte `json:"digests"`
}

const stateVersion = 1

// comparison is what the state says of a secret's value.
type comparison int

const (
	same    comparison = iota
	another            // it was written, but is not this one
	unknown            // it was not written with this state
)

// loadState reads the file, or begins anew where there is none. Nothing is written yet.
func loadState(path string) (*state, error) {
	if path == "" {
		return nil, nil
	}
	s := &state{path: path}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Version, s.Key, s.Digests = stateVersion, make([]byte, sha256.Size), map[string][]byte{}
		_, _ = rand.Read(s.Key) // never fails
		return s, nil
	case err != nil:
		return nil, err
	}
	if err = decodeStrict(b, s); err == nil && (s.Version != stateVersion || len(s.Key) != sha256.Size || s.Digests == nil) {
		err = fmt.Errorf("it has version %d, or lacks what version %d has", s.Version, stateVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no state file of this program: %w; without it, all values are written again", path, err)
	}
	return s, nil
}

// compare says whether the value is the one that was last written to the secret.
// Without a state there is nothing to say, and so no reason to write.
func (s *state) compare(storeID, secretID string, value secretsstore.SecretValue) comparison {
	if s == nil {
		return same
	}
	at := place(storeID, secretID)
	switch digest, ok := s.Digests[at]; {
	case !ok:
		return unknown
	case !hmac.Equal(digest, s.digest(at, value)):
		return another
	}
	return same
}

// remember notes what was written, and saves it.
func (s *state) remember(storeID, secretID string, value secretsstore.SecretValue) error {
	if s == nil {
		return nil
	}
	at := place(storeID, secretID)
	s.Digests[at] = s.digest(at, value)
	return s.save()
}

// forgetBut forgets the values of a store's secrets, but for those to keep, and saves it.
func (s *state) forgetBut(storeID string, keep map[string]bool) error {
	if s == nil {
		return nil
	}
	maps.DeleteFunc(s.Digests, func(at string, _ []byte) bool {
		store, secret, _ := strings.Cut(at, "/")
		return store == storeID && !keep[secret]
	})
	return s.save()
}

func place(storeID, secretID string) string { return storeID + "/" + secretID }

// digest covers the place too: two secrets with one value don't show that.
func (s *state) digest(at string, value secretsstore.SecretValue) []byte {
	mac := hmac.New(sha256.New, s.Key)
	fmt.Fprintf(mac, "%s\x00%s", at, value.Reveal())
	return mac.Sum(nil)
}

// save replaces the file in one step: who is killed while writing leaves the old one.
func (s *state) save() (err error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	// Made with mode 0600, and in the same folder: a rename can't cross file systems.
	file, err := os.CreateTemp(filepath.Dir(s.path), "."+filepath.Base(s.path)+"-*")
	if err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("saving the state: %w", err), os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(append(b, '\n'))
	err = cmp.Or(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), s.path)
}
