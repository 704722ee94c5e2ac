package secretsstore_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

func TestQuotaGet(t *testing.T) {
	api := respondWith(response(200, `{"success":true,"errors":[],"messages":[],"result":{"secrets":{"quota":100,"usage":10}}}`))

	quota, _, err := newClient(t, api).Quota.Get(t.Context())

	require.NoError(t, err)
	assert.Equal(t, []string{"GET " + baseURL + "/accounts/" + accountID + "/secrets_store/quota"}, api.sent())
	assert.Equal(t, &secretsstore.Quota{Secrets: secretsstore.ResourceQuota{Quota: 100, Usage: 10}}, quota)
}

func TestQuotaNumbers(t *testing.T) {
	for _, tt := range []struct {
		name, result string
		want         *secretsstore.Quota
	}{
		{name: "as strings", result: `{"secrets":{"quota":"100","usage":"0"}}`, want: &secretsstore.Quota{Secrets: secretsstore.ResourceQuota{Quota: 100}}},
		{name: "with an exponent", result: `{"secrets":{"quota":100.0,"usage":2e1}}`, want: &secretsstore.Quota{Secrets: secretsstore.ResourceQuota{Quota: 100, Usage: 20}}},
		{name: "not a number", result: `{"secrets":{"quota":"many","usage":1}}`},
		{name: "missing", result: `{"secrets":{"quota":100}}`},
		{name: "no quota", result: `{}`},
		{name: "null", result: `null`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			quota, resp, err := newClient(t, respondWith(response(200, `{"success":true,"result":`+tt.result+`}`))).Quota.Get(t.Context())
			assert.Equal(t, tt.want, quota)
			assert.NotNil(t, resp)
			if tt.want == nil {
				assert.Equal(t, []string{"ErrInvalidResponse"}, matches(err))
			} else {
				assert.NoError(t, err)
			}
		})
	}
}
