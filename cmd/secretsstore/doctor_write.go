package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-57d84f87/secretsstore-go"
)

const (
	throwawayPrefix = "SECRETSSTORE_DOCTOR_" // of the names of all secrets that doctor creates
	activeWithin    = 3 * time.Minute
	nameFreeWithin  = time.Minute
	cleanupTimeout  = time.Minute
)

// A throwaway is the secret that doctor --write works on.
type throwaway struct {
	name     string
	comment  string
	value    secretsstore.SecretValue
	id       string
	modified time.Time // at the last patch
	created  []string  // ids of all secrets that were created
}

// keep records what a probe patched, and what it created although it should have been refused.
func (t *throwaway) keep(line string, r reply) {
	for _, s := range r.secrets() {
		if s.ID == t.id {
			t.modified = s.Modified
		} else if line == create {
			t.created = append(t.created, s.ID)
		}
	}
}

// removeLeftovers deletes the secrets of an earlier run.
func (d *doctor) removeLeftovers(leftovers []*secretsstore.Secret) {
	for _, secret := range leftovers {
		if err := d.delete(d.ctx, secret.ID); err != nil {
			d.fail("leftovers", "a secret of an earlier run cannot be deleted", fmt.Errorf("%s: %w", secret.Name, err), "delete it in the dashboard")
		} else {
			d.add("leftovers", warning, "removed a secret of an earlier run", secret.Name, "")
		}
	}
}

// delete deletes a secret. One that does not exist is no error.
func (d *doctor) delete(ctx context.Context, id string) error {
	_, err := d.client.Secrets.Delete(ctx, d.store.ID, id)
	if errors.Is(err, secretsstore.ErrNotFound) {
		return nil
	}
	return err
}

// write creates, changes and deletes the throwaway secret, and runs the probes meanwhile.
func (d *doctor) write() {
	t := &throwaway{
		name: throwawayPrefix + randomHex(4), comment: "doctor-comment-" + randomHex(4),
		value: secretsstore.NewSecretValue("doctor-value-" + randomHex(16)),
	}
	d.throwaway = t
	defer d.cleanUp()
	created, resp, err := d.client.Secrets.Create(d.ctx, d.store.ID, d.newThrowaway())
	r := reply{resp, err}
	if errors.Is(err, secretsstore.ErrForbidden) {
		d.judge("read-token-cannot-write", r.StatusCode == 403 && r.hasCode(10000), r.String())
	}
	if err != nil {
		d.fail("write", "no secret can be created", err, "give the token the permission Secrets Store Write; see the error for other causes")
		d.throwaway = nil
		d.probe()
		d.throwaway = t
		return
	}
	d.facts["read-token-cannot-write"] = finding{notTested, "the token may write"}
	t.id, t.created = created.ID, []string{created.ID}
	d.subject, d.secrets = created, d.secrets+1
	d.add("write", ok, "a secret can be created", "", "")
	d.judge("secret-comment-omitted", !strings.Contains(string(r.Body), `"comment"`), r.String())
	d.judge("secret-pending-after-create", created.Status == secretsstore.SecretStatusPending, "another status")
	d.measureActive("active after create")

	patched, _, err := d.client.Secrets.Patch(d.ctx, d.store.ID, t.id, secretsstore.SecretPatch{
		Comment: &t.comment, Scopes: []secretsstore.Scope{secretsstore.ScopeAccess, secretsstore.ScopeWorkers}, Value: t.value,
	})
	if err != nil {
		d.fail("write", "the secret cannot be patched", err, "see the error")
		return
	}
	d.judge("value-patch-makes-pending", patched.Status == secretsstore.SecretStatusPending, "another status")
	d.measured["pending after value patch"] = fmt.Sprint(patched.Status == secretsstore.SecretStatusPending)
	d.measureActive("active after value patch")
	d.probe()
	d.probeDelete()
}

func (d *doctor) newThrowaway() secretsstore.SecretCreate {
	return secretsstore.SecretCreate{Name: d.throwaway.name, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: d.throwaway.value}
}

// measureActive measures how long the secret stays pending.
func (d *doctor) measureActive(what string) {
	ctx, cancel := context.WithTimeout(d.ctx, activeWithin)
	defer cancel()
	started := time.Now()
	_, err := d.client.Secrets.WaitActive(ctx, d.store.ID, d.throwaway.id)
	if err != nil {
		d.add("write", warning, "the secret did not become active", err.Error(), "a Worker that binds a pending secret cannot be deployed")
		d.measured[what] = "not within " + activeWithin.String()
		return
	}
	d.measured[what] = time.Since(started).Round(time.Second).String()
	d.add("write", ok, what, d.measured[what], "")
}

// probeDelete deletes the secret, and measures how long its name stays taken.
func (d *doctor) probeDelete() {
	if d.ctx.Err() != nil {
		return
	}
	t := d.throwaway
	resp, err := d.client.Secrets.Delete(d.ctx, d.store.ID, t.id)
	if err != nil {
		d.fail("write", "the secret cannot be deleted", err, "see the error")
		return
	}
	r := reply{resp, err}
	d.judge("delete-status-202", r.StatusCode == 202 && strings.Contains(string(r.Body), `"result":null`), r.String())
	if r = d.send(d.ctx, probe{line: patch, body: `{"comment":"COMMENT"}`}); r.usable() {
		d.judge("deleted-secret-not-writable", r.StatusCode == 404, r.String())
	}
	if r = d.send(d.ctx, probe{line: list + "?search=NAME"}); r.succeeded() {
		isLive := func(s secretsstore.Secret) bool { return s.ID == t.id && s.Status != secretsstore.SecretStatusDeleted }
		d.judge("deleted-secret-listed", !slices.ContainsFunc(r.secrets(), isLive), "listed with another status")
	}
	d.measureName()
}

// measureName measures how long the name of the deleted secret stays taken.
func (d *doctor) measureName() {
	const what = "name taken after delete"
	for started := time.Now(); ; {
		created, _, err := d.client.Secrets.Create(d.ctx, d.store.ID, d.newThrowaway())
		d.measured[what] = time.Since(started).Round(time.Second).String()
		switch {
		case err == nil:
			d.throwaway.created = append(d.throwaway.created, created.ID)
			d.judge("name-held-after-delete", true, "")
			d.add("write", ok, what, d.measured[what], "")
			return
		case !errors.Is(err, secretsstore.ErrAlreadyExists):
			d.skip("name-held-after-delete", "no usable response")
			d.fail("write", "the name cannot be used again", err, "see the error")
			return
		case time.Since(started) > nameFreeWithin:
			d.judge("name-held-after-delete", false, "taken for more than "+nameFreeWithin.String())
			return
		}
		select {
		case <-time.After(time.Second):
		case <-d.ctx.Done():
			return
		}
	}
}

// cleanUp deletes all secrets of this run. An interrupt does not end it, a second one does.
func (d *doctor) cleanUp() {
	ctx, cancel := context.WithTimeout(d.second, cleanupTimeout)
	defer cancel()
	found, err := d.findThrowaways(ctx, d.throwaway.name)
	names := map[string]string{}
	for _, id := range d.throwaway.created {
		names[id] = d.throwaway.name
	}
	for _, secret := range found {
		names[secret.ID] = secret.Name
	}
	for id, name := range names {
		if deleteErr := d.delete(ctx, id); deleteErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %s", name, withoutPrefix(deleteErr)))
		}
	}
	if err != nil {
		d.fail("cleanup", "not everything could be deleted", fmt.Errorf("secrets starting with %s: %w", d.throwaway.name, err), "run doctor --write again, or delete them in the dashboard")
		return
	}
	d.add("cleanup", ok, "everything was deleted", "", "")
}
