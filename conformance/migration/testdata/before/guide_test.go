package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/secrets_store"
)

// The blocks of the guide that show cloudflare-go, in the guide's order.

func TestGuideClient(t *testing.T) {
	srv, _, accountID, _, _ := emulator(t)
	token := srv.APIToken
	t.Setenv("CLOUDFLARE_API_TOKEN", "another")

	client := cloudflare.NewClient(
		option.WithAPIToken(token),
		option.WithMaxRetries(3),
		option.WithRequestTimeout(10*time.Second),
	)

	_, err := client.SecretsStore.Quota.Get(t.Context(), secrets_store.QuotaGetParams{AccountID: cloudflare.F(accountID)})
	equal(t, nil, err)
}

func TestGuideCreate(t *testing.T) {
	srv, client, accountID, storeID, _ := emulator(t)
	ctx := t.Context()

	page, err := client.SecretsStore.Stores.Secrets.New(ctx, storeID, secrets_store.StoreSecretNewParams{
		AccountID: cloudflare.F(accountID),
		Body: []secrets_store.StoreSecretNewParamsBody{{
			Name:    cloudflare.F("BILLING_KEY"),
			Value:   cloudflare.F(value),
			Scopes:  cloudflare.F([]secrets_store.StoreSecretNewParamsBodyScope{secrets_store.StoreSecretNewParamsBodyScopeWorkers}),
			Comment: cloudflare.F("for the billing service"),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := page.Result[0].ID

	got, _ := srv.Value(storeID, id)
	equal(t, value, got)
}

func TestGuideList(t *testing.T) {
	_, client, accountID, storeID, _ := emulator(t)
	ctx := t.Context()
	var names []string

	pager := client.SecretsStore.Stores.Secrets.ListAutoPaging(ctx, storeID, secrets_store.StoreSecretListParams{
		AccountID: cloudflare.F(accountID),
		Scopes:    cloudflare.F([]secrets_store.StoreSecretListParamsScope{secrets_store.StoreSecretListParamsScopeWorkers}),
	})
	for pager.Next() {
		names = append(names, pager.Current().Name)
	}
	if err := pager.Err(); err != nil {
		t.Fatal(err)
	}

	equal(t, []string{"MY_API_KEY"}, names)

	page, err := client.SecretsStore.Stores.Secrets.List(ctx, storeID, secrets_store.StoreSecretListParams{
		AccountID: cloudflare.F(accountID),
		Page:      cloudflare.F(int64(1)),
		PerPage:   cloudflare.F(int64(50)),
		Order:     cloudflare.F(secrets_store.StoreSecretListParamsOrderName),
		Direction: cloudflare.F(secrets_store.StoreSecretListParamsDirectionAsc),
		Search:    cloudflare.F("API"),
	})

	equal(t, nil, err)
	equal(t, 1, len(page.Result))
}

func TestGuideGet(t *testing.T) {
	_, client, accountID, storeID, secretID := emulator(t)
	ctx := t.Context()

	secret, err := client.SecretsStore.Stores.Secrets.Get(ctx, storeID, secretID, secrets_store.StoreSecretGetParams{
		AccountID: cloudflare.F(accountID),
	})

	equal(t, nil, err)
	equal(t, "MY_API_KEY", secret.Name)
}

func TestGuideEdit(t *testing.T) {
	srv, client, accountID, storeID, secretID := emulator(t)
	ctx := t.Context()

	secret, err := client.SecretsStore.Stores.Secrets.Edit(ctx, storeID, secretID, secrets_store.StoreSecretEditParams{
		AccountID: cloudflare.F(accountID),
		Comment:   cloudflare.F("rotated in May"),
		Value:     cloudflare.F(value),
	})

	equal(t, nil, err)
	equal(t, "rotated in May", secret.Comment)
	got, _ := srv.Value(storeID, secretID)
	equal(t, value, got)
}

func TestGuideDuplicate(t *testing.T) {
	srv, client, accountID, storeID, secretID := emulator(t)
	ctx := t.Context()

	secret, err := client.SecretsStore.Stores.Secrets.Duplicate(ctx, storeID, secretID, secrets_store.StoreSecretDuplicateParams{
		AccountID: cloudflare.F(accountID),
		Name:      cloudflare.F("MY_API_KEY_2"),
		Scopes:    cloudflare.F([]secrets_store.StoreSecretDuplicateParamsScope{secrets_store.StoreSecretDuplicateParamsScopeAccess}),
	})

	equal(t, nil, err)
	got, _ := srv.Value(storeID, secret.ID)
	equal(t, "old value", got)
}

func TestGuideDelete(t *testing.T) {
	srv, client, accountID, storeID, secretID := emulator(t)
	ctx := t.Context()

	_, err := client.SecretsStore.Stores.Secrets.Delete(ctx, storeID, secretID, secrets_store.StoreSecretDeleteParams{
		AccountID: cloudflare.F(accountID),
	})

	equal(t, nil, err)
	equal(t, 0, len(srv.Secrets(storeID)))
}

func TestGuideBulkDelete(t *testing.T) {
	srv, client, accountID, storeID, secretID := emulator(t)
	ctx := t.Context()
	ids := []string{secretID}

	body, err := json.Marshal(map[string][]string{"ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.SecretsStore.Stores.Secrets.BulkDelete(ctx, storeID,
		secrets_store.StoreSecretBulkDeleteParams{AccountID: cloudflare.F(accountID)},
		option.WithRequestBody("application/json", body),
	)

	equal(t, nil, err)
	equal(t, 0, len(srv.Secrets(storeID)))
}

func TestGuideStoresAndQuota(t *testing.T) {
	srv, client, accountID, _, _ := emulator(t)
	ctx := t.Context()

	store, err := client.SecretsStore.Stores.New(ctx, secrets_store.StoreNewParams{
		AccountID: cloudflare.F(accountID),
		Name:      cloudflare.F("staging"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.SecretsStore.Stores.Delete(ctx, store.ID, secrets_store.StoreDeleteParams{
		AccountID: cloudflare.F(accountID),
		Force:     cloudflare.F(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	usage, err := client.SecretsStore.Quota.Get(ctx, secrets_store.QuotaGetParams{
		AccountID: cloudflare.F(accountID),
	})
	if err != nil {
		t.Fatal(err)
	}
	left := int(usage.Secrets.Quota - usage.Secrets.Usage)

	equal(t, 99, left)
	equal(t, 1, len(srv.Stores()))
}

func TestGuideErrors(t *testing.T) {
	_, client, accountID, storeID, _ := emulator(t)
	ctx := t.Context()
	said := ""

	_, err := client.SecretsStore.Stores.Secrets.Get(ctx, storeID, "0123456789abcdef0123456789abcdef", secrets_store.StoreSecretGetParams{
		AccountID: cloudflare.F(accountID),
	})
	var apiErr *cloudflare.Error
	switch {
	case errors.As(err, &apiErr) && apiErr.StatusCode == http.StatusNotFound:
		said = "there is no such secret"
	case errors.As(err, &apiErr):
		said = fmt.Sprint(apiErr.StatusCode, apiErr.Errors, apiErr.Response.Header.Get("CF-Ray"))
	case err != nil:
		said = err.Error()
	}

	equal(t, "there is no such secret", said)
}

func TestGuideRawJSON(t *testing.T) {
	_, client, accountID, storeID, secretID := emulator(t)
	ctx := t.Context()

	secret, err := client.SecretsStore.Stores.Secrets.Get(ctx, storeID, secretID, secrets_store.StoreSecretGetParams{
		AccountID: cloudflare.F(accountID),
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := secret.JSON.RawJSON()

	var fields map[string]any
	equal(t, nil, json.Unmarshal([]byte(raw), &fields))
	equal(t, "MY_API_KEY", fields["name"].(string))
}

func TestGuideMiddleware(t *testing.T) {
	_, _, accountID, _, _ := emulator(t)
	var seen []int

	client := cloudflare.NewClient(option.WithMiddleware(
		func(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
			resp, err := next(req)
			if err == nil {
				seen = append(seen, resp.StatusCode)
			}
			return resp, err
		},
	))

	_, err := client.SecretsStore.Quota.Get(t.Context(), secrets_store.QuotaGetParams{AccountID: cloudflare.F(accountID)})
	equal(t, nil, err)
	equal(t, []int{200}, seen)
}

func TestGuideCallOptions(t *testing.T) {
	srv, client, accountID, storeID, secretID := emulator(t)
	ctx := t.Context()

	var answer *http.Response
	secret, err := client.SecretsStore.Stores.Secrets.Get(ctx, storeID, secretID,
		secrets_store.StoreSecretGetParams{AccountID: cloudflare.F(accountID)},
		option.WithHeader("X-Change", "4711"),
		option.WithMaxRetries(0),
		option.WithRequestTimeout(5*time.Second),
		option.WithResponseInto(&answer),
	)
	if err != nil {
		t.Fatal(err)
	}
	rayID := answer.Header.Get("CF-Ray")

	equal(t, "MY_API_KEY", secret.Name)
	equal(t, srv.Requests()[0].RayID, rayID)
	equal(t, "4711", srv.Requests()[0].Header.Get("X-Change"))
}

func TestGuideOtherEndpoints(t *testing.T) {
	_, client, _, _, _ := emulator(t)
	ctx := t.Context()

	var answer struct {
		Result struct{ Status string }
	}
	err := client.Get(ctx, "user/tokens/verify", nil, &answer)

	equal(t, nil, err)
	equal(t, "active", answer.Result.Status)
}

const value = "the new value"

func equal[T any](t *testing.T, want, got T) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Errorf("want %v, got %v", want, got)
	}
}
