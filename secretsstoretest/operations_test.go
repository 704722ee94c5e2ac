package secretsstoretest_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// inBubble runs a test with an emulator at the time epoch.
func inBubble(t *testing.T, test func(t *testing.T, e *emulator), opts ...secretsstoretest.ServerOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newEmulator(t, opts...)) })
}

// secretJSON returns the seeded secret as the API returns it, with some text replaced.
func (e *emulator) secretJSON(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"id":"` + e.secret + `","created":"` + epoch + `","modified":"` + epoch +
		`","name":"TAKEN","status":"active","store_id":"` + e.store + `","comment":"seeded","scopes":["dex","workers"]}`)
}

func (e *emulator) storeJSON() string {
	return `{"id":"` + e.store + `","account_id":"` + accountID + `","name":"production","created":"` + epoch + `","modified":"` + epoch + `"}`
}

func TestGetQuota(t *testing.T) {
	e := newEmulator(t)
	got := e.send(t, "GET /quota", "")
	assert.Equal(t, 200, got.status)
	assert.Equal(t, success(`{"secrets":{"quota":100,"usage":1}}`, onePage), got.body)
}

func TestListStores(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		got := e.send(t, "GET /stores", "")
		assert.Equal(t, 200, got.status)
		assert.Equal(t, success("["+e.storeJSON()+"]", onePage), got.body)
	})
}

func TestCreateStore(t *testing.T) {
	e := newEmulator(t, secretsstoretest.WithMaxStores(2))
	got := e.send(t, "POST /stores", `{"name":"staging"}`)
	assert.Equal(t, 200, got.status)
	assert.Contains(t, got.body, `"name":"staging"`)
	assert.Equal(t, "staging", e.Stores()[1].Name)
}

func TestGetStore(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		got := e.send(t, "GET /stores/STORE", "")
		assert.Equal(t, 200, got.status)
		assert.Equal(t, success(e.storeJSON(), onePage), got.body)
	})
}

func TestDeleteStore(t *testing.T) {
	e := newEmulator(t)
	got := e.send(t, "DELETE /stores/STORE?force=true", "")
	assert.Equal(t, 200, got.status)
	assert.Equal(t, success("null", ""), got.body)
	assert.Empty(t, e.Stores())
	assert.Contains(t, e.send(t, "GET /quota", "").body, `"usage":0`)
}

func TestListSecrets(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		got := e.send(t, "GET /stores/STORE/secrets", "")
		assert.Equal(t, 200, got.status)
		assert.Equal(t, success("["+e.secretJSON()+"]", onePage), got.body)
	})
}

func TestCreateSecrets(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		got := e.send(t, "POST /stores/STORE/secrets", `[{"name":"A","value":"v","scopes":["workers"],"comment":"c"}]`)
		made := e.Secrets(e.store)[1]
		assert.Equal(t, 200, got.status)
		assert.Equal(t, success("["+e.secretJSON(e.secret, made.ID, "TAKEN", "A", "active", "pending", "seeded", "c", `"dex",`, "")+"]", onePage), got.body)
		stored, ok := e.Value(e.store, made.ID)
		assert.True(t, ok)
		assert.Equal(t, "v", stored)
	})
}

func TestDeleteSecrets(t *testing.T) {
	e := newEmulator(t)
	got := e.send(t, "DELETE /stores/STORE/secrets", `{"ids":["SECRET","SECRET"]}`)
	assert.Equal(t, 202, got.status)
	assert.Equal(t, success("null", ""), got.body)
	assert.Empty(t, e.Secrets(e.store))
}

func TestGetSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		got := e.send(t, "GET /stores/STORE/secrets/SECRET", "")
		assert.Equal(t, 200, got.status)
		assert.Equal(t, success(e.secretJSON(), ""), got.body)
	})
}

func TestPatchSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		got := e.send(t, "PATCH /stores/STORE/secrets/SECRET", `{"comment":"patched","scopes":["access"],"value":"v"}`)
		assert.Equal(t, 200, got.status)
		assert.Equal(t, success(e.secretJSON("seeded", "patched", `"dex","workers"`, `"access"`, "active", "pending"), ""), got.body)
		stored, _ := e.Value(e.store, e.secret)
		assert.Equal(t, "v", stored)
	})
}

func TestDeleteSecret(t *testing.T) {
	e := newEmulator(t)
	got := e.send(t, "DELETE /stores/STORE/secrets/SECRET", "")
	assert.Equal(t, 202, got.status)
	assert.Equal(t, success("null", ""), got.body)
	assert.Empty(t, e.Secrets(e.store))
}

func TestDuplicateSecret(t *testing.T) {
	inBubble(t, func(t *testing.T, e *emulator) {
		got := e.send(t, "POST /stores/STORE/secrets/SECRET/duplicate", `{"name":"COPY","scopes":["dex","workers"]}`)
		made := e.Secrets(e.store)[1]
		assert.Equal(t, 200, got.status)
		assert.Equal(t, success(e.secretJSON(e.secret, made.ID, "TAKEN", "COPY", `"comment":"seeded",`, "", "active", "pending"), ""), got.body)
		stored, _ := e.Value(e.store, made.ID)
		assert.Equal(t, value, stored)
	})
}

func TestVerifyToken(t *testing.T) {
	e := newEmulator(t)
	got := e.send(t, "GET /client/v4/user/tokens/verify", "")
	assert.Equal(t, 200, got.status)
	assert.Regexp(t, `"messages":\[{"code":10000,"message":"This API Token is valid and active"}\],"result":{"id":"[0-9a-f]{32}","status":"active"}`, got.body)
}
