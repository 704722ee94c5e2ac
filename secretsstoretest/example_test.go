package secretsstoretest_test

import (
	"context"
	"fmt"
	"net/http"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// What a program has stored is looked at from Go: the API itself never tells a value.
func ExampleNewServer() {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})

	// What is tested: here, one patch.
	_, _, err := srv.Client().Secrets.Patch(context.Background(), store.ID, secret.ID, secretsstore.SecretPatch{
		Value: secretsstore.NewSecretValue("new"),
	})
	if err != nil {
		fmt.Println(err)
	}

	value, _ := srv.Value(store.ID, secret.ID)
	fmt.Println(value)
	fmt.Println(srv.Requests()[0].Body)
	// Output:
	// new
	// {"value":"[REDACTED]"}
}

// Any client can be pointed at the server; this is one of net/http.
func ExampleServer_Transport() {
	srv := secretsstoretest.NewServer(
		secretsstoretest.WithoutListener(),
		secretsstoretest.WithAccountID("023e105f4ecef8ad9ca31a8372d0c353"),
		secretsstoretest.WithAPIToken("made-up"),
	)
	client := &http.Client{Transport: srv.Transport()}

	req, _ := http.NewRequest(http.MethodGet, srv.URL+"/accounts/"+srv.AccountID+"/secrets_store/quota", nil)
	req.Header.Set("Authorization", "Bearer made-up")
	res, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	fmt.Println(res.Status, res.Header.Get("CF-Ray"))
	// Output: 200 OK 0000000000000001-TST
}

// The next patch is done, but its answer never comes.
func ExampleServer_Inject() {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})
	fault := srv.Inject(secretsstoretest.Fault{
		Operation: secretsstoretest.OpPatchSecret,
		Count:     1,
		Cut:       secretsstoretest.CutAfterRequest,
	})

	_, _, err := srv.Client().Secrets.Patch(context.Background(), store.ID, secret.ID,
		secretsstore.SecretPatch{Comment: secretsstore.Ptr("rotated")}, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1}))
	fmt.Println("failed:", err != nil)
	fmt.Println("stored:", srv.Secrets(store.ID)[0].Comment)
	fmt.Println("faults:", fault.Hits())
	// Output:
	// failed: true
	// stored: rotated
	// faults: 1
}
