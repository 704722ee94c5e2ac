package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

var aJob = job{Account: "a", Store: "s", Select: selection{Name: "*"}, Change: change{Add: scopes("dex"), Comment: secretsstore.Ptr("c")}}

func aJournal(t *testing.T) *journal {
	t.Helper()
	j, err := createJournal(filepath.Join(t.TempDir(), "j"), aJob, []planned{{"1", "A"}, {"2", "B"}, {"3", ""}})
	require.NoError(t, err)
	t.Cleanup(func() { j.close() })
	return j
}

func reopen(t *testing.T, name string) *journal {
	t.Helper()
	j, err := openJournal(name)
	require.NoError(t, err)
	t.Cleanup(func() { j.close() })
	return j
}

func TestJournalRemembers(t *testing.T) {
	j := aJournal(t)
	require.NoError(t, j.done("1", false))
	require.NoError(t, j.failed("2", errors.New("no")))
	require.NoError(t, j.close())
	require.NoError(t, j.close())

	j = reopen(t, j.name)
	assert.Equal(t, aJob, j.job)
	assert.Equal(t, []planned{{"2", "B"}, {"3", ""}}, j.pending(), "what failed is tried again")
	assert.Equal(t, map[string]string{"2": "no"}, j.failures)
	require.NoError(t, j.done("2", true))
	require.NoError(t, j.failed("3", errors.New(strings.Repeat("long", 1000))))
	require.NoError(t, j.close())

	j = reopen(t, j.name)
	assert.Equal(t, []planned{{"3", ""}}, j.pending())
	assert.Len(t, j.failures["3"], 500)
	info, err := os.Stat(j.name)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestJournalIsNeverOverwritten(t *testing.T) {
	j := aJournal(t)
	_, err := createJournal(j.name, aJob, nil)
	require.ErrorContains(t, err, "is there already")
}

func TestJournalHasOneRunAtATime(t *testing.T) {
	j := aJournal(t)
	_, err := openJournal(j.name)
	require.ErrorIs(t, err, errLocked)
	require.NoError(t, j.close())
	reopened := reopen(t, j.name)
	_, err = openJournal(j.name)
	require.ErrorIs(t, err, errLocked)
	require.NoError(t, reopened.close())
	reopen(t, j.name)
}

// Wherever a journal is cut off, nothing that is whole is lost, and it can be gone on
// with.
func TestJournalThatIsTorn(t *testing.T) {
	j := aJournal(t)
	plan, err := os.ReadFile(j.name)
	require.NoError(t, err)
	require.NoError(t, j.done("1", false))
	require.NoError(t, j.failed("2", errors.New("no")))
	require.NoError(t, j.done("3", true))
	require.NoError(t, j.close())
	whole, err := os.ReadFile(j.name)
	require.NoError(t, err)
	doneOne := len(plan) + bytes.IndexByte(whole[len(plan):], '}') + 1
	doneThree := bytes.LastIndexByte(whole, '}') + 1

	for cut := range len(whole) + 1 {
		name := filepath.Join(t.TempDir(), "j")
		require.NoError(t, os.WriteFile(name, whole[:cut], 0o600))
		j, err := openJournal(name)
		if cut < len(plan)-1 {
			require.ErrorContains(t, err, "before the plan was whole", "cut at %d", cut)
			continue
		}
		require.NoError(t, err, "cut at %d", cut)
		assert.Equal(t, cut >= doneOne, j.isDone["1"], "cut at %d", cut)
		assert.Equal(t, cut >= doneThree, j.isDone["3"], "cut at %d", cut)
		require.NoError(t, j.done("2", false))
		was := j.isDone
		require.NoError(t, j.close())
		again := reopen(t, name)
		assert.Equal(t, was, again.isDone, "cut at %d", cut)
	}
}

func TestJournalThatIsDamaged(t *testing.T) {
	j := aJournal(t)
	require.NoError(t, j.done("1", false))
	require.NoError(t, j.done("2", false))
	require.NoError(t, j.close())
	good, err := os.ReadFile(j.name)
	require.NoError(t, err)
	const done1, done2 = "{\"done\":\"1\"}\n", "{\"done\":\"2\"}\n"
	for name, tc := range map[string]struct{ old, new, says string }{
		"goes on where only its end is garbage":       {done2, "\x00\x00\n\x00\n{\"do", ""},
		"is refused where something follows garbage":  {done1, "{\"done\"\n", "line 6 is damaged"},
		"is refused with what was not planned":        {done1, "{\"done\":\"9\"}\n", "line 6: it can't be there"},
		"is refused with what it can't have":          {done1, "{\"undone\":\"1\"}\n", "line 6 is damaged"},
		"is refused with two things in a line":        {done1, "{\"done\":\"1\"}{}\n", "line 6 is damaged"},
		"is refused where its plan is not whole":      {`"planned":3`, `"planned":4`, "line 5: it can't be there"},
		"is refused in another version":               {`"version":1`, `"version":2`, "version 2"},
		"is refused without its beginning":            {string(good[:bytes.IndexByte(good, '\n')+1]), "", "line 1: it can't be there"},
		"is refused where it is another kind of file": {string(good), "hello\n", "before the plan was whole"},
		"is refused where it is empty":                {string(good), "", "before the plan was whole"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, string(good), tc.old)
			name := filepath.Join(t.TempDir(), "j")
			text := strings.Replace(string(good), tc.old, tc.new, 1)
			require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
			j, err := openJournal(name)
			if tc.says == "" {
				require.NoError(t, err)
				assert.Equal(t, map[string]bool{"1": true}, j.isDone)
				require.NoError(t, j.close())
				return
			}
			require.ErrorContains(t, err, tc.says)
			left, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.Equal(t, text, string(left), "a journal that is refused is left as it is")
		})
	}
	t.Run("is refused where it is no file", func(t *testing.T) {
		_, err := openJournal(t.TempDir())
		require.Error(t, err)
		_, err = openJournal(filepath.Join(t.TempDir(), "none"))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestJournalIsBroughtToTheDiskOnceASecond(t *testing.T) {
	j := aJournal(t)
	now, syncs := j.synced, 0
	j.now = func() time.Time { return now }
	j.sync = func(*os.File) error { syncs++; return nil }
	require.NoError(t, j.done("1", false))
	assert.Equal(t, 0, syncs)
	now = now.Add(syncEvery)
	require.NoError(t, j.done("2", false))
	require.NoError(t, j.done("3", false))
	assert.Equal(t, 1, syncs)
	require.NoError(t, j.close())
	assert.Equal(t, 2, syncs)
}

func TestJournalThatCanNotBeWritten(t *testing.T) {
	t.Run("stays as it is after an error", func(t *testing.T) {
		j := aJournal(t)
		require.NoError(t, j.file.Close())
		first := j.done("1", false)
		require.ErrorIs(t, first, os.ErrClosed)
		assert.Equal(t, first, j.done("2", false))
		assert.Empty(t, j.isDone)
	})
	t.Run("reports a disk that fails", func(t *testing.T) {
		j := aJournal(t)
		broken := errors.New("broken")
		j.sync = func(*os.File) error { return broken }
		j.synced = time.Time{}
		require.ErrorIs(t, j.done("1", false), broken)
		require.ErrorIs(t, j.done("2", false), broken)
		require.ErrorIs(t, j.close(), broken)
	})
	t.Run("is not begun where it can't be", func(t *testing.T) {
		_, err := createJournal(filepath.Join(t.TempDir(), "none", "j"), aJob, nil)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestJournalIsBoundToItsJob(t *testing.T) {
	ids := filepath.Join(t.TempDir(), "ids")
	require.NoError(t, os.WriteFile(ids, []byte("1"), 0o600))
	was := job{Account: "a", Store: "s", Select: asked(t, "-name", "A*", "-scope", "b,a").Select.bound(), Change: asked(t, "-add-scope", "y,x", "-comment", "c").Change}
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"takes what is not said":      {nil, ""},
		"takes what is said again":    {[]string{"-store", "s", "-name", "A*", "-scope", "a,b", "-comment", "c", "-add-scope", "x,y"}, ""},
		"refuses another store":       {[]string{"-store", "t"}, "about store s, not t"},
		"refuses another change":      {[]string{"-add-scope", "x", "-comment", "c"}, "another change: add scope x,y, comment \"c\""},
		"refuses another comment":     {[]string{"-add-scope", "x,y", "-comment", "d"}, "another change"},
		"refuses to do without one":   {[]string{"-add-scope", "x,y"}, "another change"},
		"refuses another pattern":     {[]string{"-name", "B*", "-scope", "a,b"}, "another selection: scope a,b, name \"A*\""},
		"refuses another list of ids": {[]string{"-name", "A*", "-scope", "a,b", "-ids", ids}, "another selection"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := was.resumedBy(asked(t, tc.args...).job)
			if tc.says == "" {
				require.NoError(t, err)
				assert.Equal(t, was, got)
				return
			}
			require.ErrorContains(t, err, tc.says)
		})
	}
}
