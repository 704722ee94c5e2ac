package main

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A bulk is what the bulk command is to do.
type bulk struct {
	match, idsFile               string
	ids                          map[string]bool // nil: match selects
	withScopes, add, remove, set []string
	comment                      *string
}

func newBulkCommand(a *app) *cobra.Command {
	var b bulk
	var comment string
	cmd := &cobra.Command{
		Use:   "bulk (--match GLOB | --ids FILE) CHANGE...",
		Short: "Change scopes and comments of many secrets",
		Long: `Patches the selected secrets that differ from what the flags ask for. It shows a
plan first. Flags for scopes may be repeated. To go on after a failure or an
interrupt, run it again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("comment") {
				b.comment = &comment
			}
			if err := b.check(a); err != nil {
				return err
			}
			return a.bulk(&b)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&b.match, "match", "", "select names by a `glob` such as 'PROD_*'")
	flags.StringVar(&b.idsFile, "ids", "", "select the ids in a `file`, one per line; - is stdin")
	flags.StringSliceVar(&b.withScopes, "with-scope", nil, "select only secrets with this `scope`")
	flags.StringSliceVar(&b.add, "add-scope", nil, "add a `scope`")
	flags.StringSliceVar(&b.remove, "remove-scope", nil, "remove a `scope`")
	flags.StringSliceVar(&b.set, "set-scope", nil, "replace all scopes by this `scope`")
	flags.StringVar(&comment, "comment", "", "set the comment; an empty one clears it")
	return cmd
}

func (b *bulk) check(a *app) (err error) {
	_, badGlob := path.Match(b.match, "")
	switch {
	case (b.match == "") == (b.idsFile == ""):
		return usageError("exactly one of --match and --ids must select the secrets; --match '*' selects all")
	case badGlob != nil:
		return usageError("invalid --match: %v", badGlob)
	case b.set != nil && (b.add != nil || b.remove != nil):
		return usageError("--set-scope cannot be combined with --add-scope and --remove-scope")
	case b.set == nil && b.add == nil && b.remove == nil && b.comment == nil:
		return usageError("one of --add-scope, --remove-scope, --set-scope and --comment must say what to change")
	case b.add != nil && len(b.add) == 0, b.remove != nil && len(b.remove) == 0, b.set != nil && len(b.set) == 0,
		slices.Contains(slices.Concat(b.add, b.remove, b.set, b.withScopes), ""):
		return usageError("a scope must not be empty")
	case b.idsFile == "":
		return nil
	}
	text, err := a.readFile(b.idsFile)
	if err != nil {
		return err
	}
	b.ids = map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if id := strings.TrimSpace(line); id != "" && id[0] != '#' {
			b.ids[id] = true
		}
	}
	if len(b.ids) == 0 {
		return usageError("--ids: the file has no ids")
	}
	return nil
}

// patch returns the patch that a secret needs, which is empty if it needs none.
func (b *bulk) patch(secret *secretsstore.Secret) (patch secretsstore.SecretPatch, err error) {
	if b.comment != nil && *b.comment != secret.Comment {
		patch.Comment = b.comment
	}
	scopes := slices.Clone(secret.Scopes)
	switch {
	case b.set != nil:
		scopes = toScopes(b.set)
	case b.add == nil && b.remove == nil:
		return patch, nil
	case scopes == nil: // a patch replaces the whole list
		return patch, errors.New("the API returned no scopes: use --set-scope")
	default:
		scopes = append(scopes, toScopes(b.add)...)
		scopes = slices.DeleteFunc(scopes, func(s secretsstore.Scope) bool { return slices.Contains(b.remove, string(s)) })
	}
	if len(scopes) == 0 {
		return patch, errors.New("no scope would remain: a secret needs at least one")
	}
	patch.Scopes = newScopes(secret, scopes)
	return patch, nil
}

func toScopes(texts []string) (scopes []secretsstore.Scope) {
	for _, text := range texts {
		scopes = append(scopes, secretsstore.Scope(text))
	}
	return scopes
}

func (b *bulk) selects(secret *secretsstore.Secret) bool {
	for _, scope := range toScopes(b.withScopes) {
		if !slices.Contains(secret.Scopes, scope) {
			return false
		}
	}
	matches, _ := path.Match(b.match, secret.Name)
	return matches || b.ids[secret.ID]
}

// changes returns the changes that the selected secrets need, those that are impossible, and
// how many secrets need none.
func (b *bulk) changes(secrets []*secretsstore.Secret) (toPatch, impossible []*change, unchanged int) {
	missing := maps.Clone(b.ids)
	for _, secret := range secrets {
		delete(missing, secret.ID)
		if !b.selects(secret) {
			continue
		}
		patch, err := b.patch(secret)
		c := &change{Action: "patch", ID: secret.ID, Name: secret.Name, Difference: difference(secret, patch), patch: patch, plan: b.patch}
		switch {
		case err != nil:
			c.finish(err)
			impossible = append(impossible, c)
		case isPatchEmpty(patch):
			unchanged++
		default:
			toPatch = append(toPatch, c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		c := &change{Action: "patch", ID: id, Name: id}
		c.finish(secretsstore.ErrSecretNotFound)
		impossible = append(impossible, c)
	}
	return toPatch, impossible, unchanged
}

func (a *app) bulk(b *bulk) error {
	ctx, intake, cancel := a.contexts()
	defer cancel()
	client, store, err := a.open(intake, "")
	if err != nil {
		return err
	}
	read := time.Now()
	secrets, err := readSecrets(intake, client, store.ID)
	if err != nil {
		return err
	}
	toPatch, impossible, unchanged := b.changes(secrets)
	a.printPlan(store.Name, toPatch, fmt.Sprintf("%d to patch, %d unchanged, %d impossible", len(toPatch), unchanged, len(impossible)))
	var cause error
	if len(toPatch) > 0 {
		if err := a.confirm(fmt.Sprintf("Patch %d secrets of store %s?", len(toPatch), plain(store.Name))); err != nil {
			return err
		}
		p := &patcher{client: client, store: store.ID, read: read, maxAge: maxAge, progress: a.newProgress(len(toPatch))}
		cause = p.apply(ctx, intake, toPatch)
		p.progress.end()
	}
	return a.summarize(store.Name, append(toPatch, impossible...), unchanged, cause)
}
