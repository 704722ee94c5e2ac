package secretsstoretest_test

import (
	"context"
	"fmt"
	"net/http"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func Example() {
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old"),
	})

	// The code under test changes the value.
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

// Any HTTP client can use the server.
func ExampleServer_Transport() {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	client := &http.Client{Transport: srv.Transport()}

	req, _ := http.NewRequest(http.MethodGet, srv.URL+"/accounts/"+srv.AccountID+"/secrets_store/quota", nil)
	req.Header.Set("Authorization", "Bearer "+srv.APIToken)
	res, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	fmt.Println(res.Status, res.Header.Get("CF-Ray"))
	// Output: 200 OK 0000000000000001-TST
}

// The first request fails at Cloudflare's edge.
func ExampleServer_Inject() {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	client := &http.Client{Transport: srv.Transport()}
	fault := secretsstoretest.EdgeJSON(530, 1016)
	fault.Operation = secretsstoretest.OpVerifyToken
	fault.Count = 1
	srv.Inject(fault)

	for range 2 {
		req, _ := http.NewRequest(http.MethodGet, srv.URL+"/user/tokens/verify", nil)
		req.Header.Set("Authorization", "Bearer "+srv.APIToken)
		res, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
		fmt.Println(res.StatusCode)
	}
	// Output:
	// 530
	// 200
}
