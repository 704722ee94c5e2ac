package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

func scopes(text string) []secretsstore.Scope {
	list := []secretsstore.Scope{}
	for scope := range strings.FieldsSeq(text) {
		list = append(list, secretsstore.Scope(scope))
	}
	return list
}

// asked returns what the program makes of flags.
func asked(t *testing.T, args ...string) settings {
	t.Helper()
	s, err := parse(args, &bytes.Buffer{})
	require.NoError(t, err)
	return s
}

func TestChange(t *testing.T) {
	for name, tc := range map[string]struct {
		args    []string
		secret  secretsstore.Secret
		scopes  []secretsstore.Scope
		comment *string
		err     string
	}{
		"adds to what there is":                   {args: []string{"-add-scope", "dex,access"}, secret: secretsstore.Secret{Scopes: scopes("workers dex")}, scopes: scopes("access dex workers")},
		"leaves what has the scope already":       {args: []string{"-add-scope", "access"}, secret: secretsstore.Secret{Scopes: scopes("workers access")}},
		"removes":                                 {args: []string{"-remove-scope", "dex"}, secret: secretsstore.Secret{Scopes: scopes("workers dex")}, scopes: scopes("workers")},
		"leaves what never had the scope":         {args: []string{"-remove-scope", "dex"}, secret: secretsstore.Secret{Scopes: scopes("workers")}},
		"adds and removes":                        {args: []string{"-remove-scope", "dex", "-add-scope", "access"}, secret: secretsstore.Secret{Scopes: scopes("dex")}, scopes: scopes("access")},
		"can't remove the last scope":             {args: []string{"-remove-scope", "dex"}, secret: secretsstore.Secret{Scopes: scopes("dex")}, err: "without scopes"},
		"leaves a secret that never had any":      {args: []string{"-remove-scope", "dex"}, secret: secretsstore.Secret{Scopes: scopes("")}},
		"can't add to scopes it does not know":    {args: []string{"-add-scope", "dex"}, err: "did not say"},
		"sets":                                    {args: []string{"-set-scopes", "dex,access"}, secret: secretsstore.Secret{Scopes: scopes("workers")}, scopes: scopes("access dex")},
		"sets scopes it does not know":            {args: []string{"-set-scopes", "dex"}, scopes: scopes("dex")},
		"does not mind the order of scopes":       {args: []string{"-set-scopes", "dex,access"}, secret: secretsstore.Secret{Scopes: scopes("dex access")}},
		"sends a comment that differs, alone":     {args: []string{"-set-scopes", "dex", "-comment", "new"}, secret: secretsstore.Secret{Scopes: scopes("dex"), Comment: "old"}, comment: secretsstore.Ptr("new")},
		"sends scopes that differ, alone":         {args: []string{"-set-scopes", "dex", "-comment", "old"}, secret: secretsstore.Secret{Scopes: scopes("access"), Comment: "old"}, scopes: scopes("dex")},
		"clears a comment":                        {args: []string{"-comment", ""}, secret: secretsstore.Secret{Comment: "old"}, comment: secretsstore.Ptr("")},
		"leaves a secret without a comment":       {args: []string{"-comment", ""}},
		"needs no scopes to change the comment":   {args: []string{"-comment", "new"}, comment: secretsstore.Ptr("new")},
		"takes a flag that is given twice":        {args: []string{"-add-scope", "dex", "-add-scope", "access, dex"}, secret: secretsstore.Secret{Scopes: scopes("")}, scopes: scopes("access dex")},
		"keeps scopes that it has never heard of": {args: []string{"-add-scope", "dex"}, secret: secretsstore.Secret{Scopes: scopes("zzz")}, scopes: scopes("dex zzz")},
	} {
		t.Run(name, func(t *testing.T) {
			before := tc.secret.Scopes
			patch, ok, err := asked(t, tc.args...).Change.patch(&tc.secret)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.scopes, patch.Scopes)
			assert.Equal(t, tc.comment, patch.Comment)
			assert.Equal(t, tc.scopes != nil || tc.comment != nil, ok)
			assert.True(t, patch.Value.IsZero())
			assert.Equal(t, before, tc.secret.Scopes, "the secret that was read is left alone")
		})
	}
}

func TestSelection(t *testing.T) {
	seen := &snapshot{secrets: map[string]*secretsstore.Secret{
		"1": {ID: "1", Name: "PROD_A", Scopes: scopes("workers")},
		"2": {ID: "2", Name: "PROD_B", Scopes: scopes("access workers")},
		"3": {ID: "3", Name: "TEST_A", Scopes: scopes("access")},
		"4": {ID: "4", Name: "TEST_B", Scopes: scopes("")},
	}}
	ids := filepath.Join(t.TempDir(), "ids")
	require.NoError(t, os.WriteFile(ids, []byte("# the first\n3\r\n\n 1 # the second\n1\nnone"), 0o600))
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"by pattern":                           {[]string{"-name", "PROD_*"}, "1 2"},
		"by the whole name":                    {[]string{"-name", "PROD_A"}, "1"},
		"not by a part of the name":            {[]string{"-name", "PROD"}, ""},
		"by class":                             {[]string{"-name", "*_[^B]"}, "1 3"},
		"by scope":                             {[]string{"-scope", "access"}, "2 3"},
		"by all of several scopes":             {[]string{"-scope", "workers,access"}, "2"},
		"by ids, those that are not there too": {[]string{"-ids", ids}, "1 3 none"},
		"by all that is given":                 {[]string{"-ids", ids, "-name", "PROD_*", "-scope", "workers"}, "1 none"},
		"all":                                  {[]string{"-name", "*"}, "1 2 3 4"},
	} {
		t.Run(name, func(t *testing.T) {
			selected, err := asked(t, tc.args...).Select.from(seen)
			require.NoError(t, err)
			got := []string{}
			for _, p := range selected {
				got = append(got, p.ID)
			}
			assert.ElementsMatch(t, strings.Fields(tc.want), got)
		})
	}
	t.Run("not by scopes that the API does not tell", func(t *testing.T) {
		_, err := asked(t, "-scope", "dex").Select.from(&snapshot{secrets: map[string]*secretsstore.Secret{"1": {ID: "1"}}})
		require.ErrorContains(t, err, "did not say which scopes")
	})
}

func TestFlagsThatCanNotBe(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("# nothing\n"), 0o600))
	several := filepath.Join(t.TempDir(), "several")
	require.NoError(t, os.WriteFile(several, []byte("1\n2,3\n"), 0o600))
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"an argument":                      {[]string{"x"}, "unexpected argument"},
		"no secrets to the left of zero":   {[]string{"-demo", "-1"}, "-demo"},
		"no concurrency":                   {[]string{"-concurrency", "0"}, "-concurrency"},
		"an age below zero":                {[]string{"-max-age", "-1s"}, "-max-age"},
		"a scope added and removed":        {[]string{"-add-scope", "a,b", "-remove-scope", "b"}, `"b" is both`},
		"scopes set and added":             {[]string{"-set-scopes", "a", "-add-scope", "b"}, "-set-scopes leaves nothing"},
		"a scope that is empty":            {[]string{"-add-scope", "a,"}, "an empty scope"},
		"a comment that JSON would change": {[]string{"-comment", "\xff"}, "UTF-8"},
		"a pattern that is none":           {[]string{"-name", "[a"}, "syntax error in pattern"},
		"ids that can't be read":           {[]string{"-ids", empty + "x"}, "no such file"},
		"a file without an id":             {[]string{"-ids", empty}, "has no id"},
		"a line with several ids":          {[]string{"-ids", several}, "several:2"},
		"two stores":                       {[]string{"-demo", "3", "-store", "s"}, "-demo is about a store in memory"},
		"a journal of a store in memory":   {[]string{"-demo", "3", "-resume", "j"}, "-demo is about a store in memory"},
		"two journals":                     {[]string{"-journal", "k", "-resume", "j"}, "leave out -journal"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tc.args, &bytes.Buffer{})
			require.ErrorContains(t, err, tc.says)
		})
	}
}

func TestHelp(t *testing.T) {
	var errs bytes.Buffer
	_, err := parse([]string{"-h"}, &errs)
	require.ErrorIs(t, err, flag.ErrHelp)
	assert.Contains(t, errs.String(), "-resume file")
	assert.Contains(t, errs.String(), "CLOUDFLARE_API_TOKEN")
}

func TestPlan(t *testing.T) {
	j := job{Store: "s", Select: selection{Name: "*"}, Change: change{Add: scopes("dexx")}}
	seen := &snapshot{secrets: map[string]*secretsstore.Secret{
		"1": {ID: "1", Name: "B", Scopes: scopes("workers")},
		"2": {ID: "2", Name: "A", Scopes: scopes("workers")},
		"3": {ID: "3", Name: "C", Scopes: scopes("dexx")},
		"4": {ID: "4", Name: "\x1b[2J"},
	}}
	p := newPlan(j, seen, []planned{{"1", "B"}, {"2", "A"}, {"3", "C"}, {"4", "\x1b[2J"}, {"5", ""}})
	require.Len(t, p.items, 2)
	assert.Equal(t, planned{"2", "A"}, p.items[0].planned, "sorted by name")
	assert.Equal(t, []planned{{"3", "C"}}, p.unchanged)
	assert.Len(t, p.impossible, 2)
	assert.Len(t, p.all(), 5)

	var out bytes.Buffer
	require.NoError(t, p.print(&out))
	got := out.String()
	assert.Regexp(t, `(?m)^To patch: +2$`, got)
	assert.Regexp(t, `(?m)^Unchanged: +1, skipped$`, got)
	assert.Regexp(t, `(?m)^  A +scopes workers → dexx,workers$`, got)
	assert.Regexp(t, `(?m)^  5 +- +the store does not list it$`, got)
	assert.Contains(t, got, "scope dexx is new to this program, or mistyped")
	assert.NotContains(t, got, "\x1b", "a name can't steer the terminal")

	t.Run("shows the first lines of many", func(t *testing.T) {
		many, seen := []planned{}, &snapshot{secrets: map[string]*secretsstore.Secret{}}
		for i := range 25 {
			id := string(rune('a' + i))
			many = append(many, planned{id, id})
			seen.secrets[id] = &secretsstore.Secret{ID: id, Name: id, Scopes: scopes("workers")}
		}
		var out bytes.Buffer
		require.NoError(t, newPlan(j, seen, many).print(&out))
		assert.Equal(t, shown, strings.Count(out.String(), "→"))
		assert.Contains(t, out.String(), "and 15 more")
	})
}
