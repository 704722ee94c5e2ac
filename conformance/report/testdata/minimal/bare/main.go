// Command bare patches a secret with net/http and encoding/json alone.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

func main() {
	body, err := json.Marshal(map[string]string{"comment": "rotated by the nightly job"})
	if err != nil {
		panic(err)
	}
	address := "https://api.cloudflare.com/client/v4/accounts/" + url.PathEscape(os.Getenv("CLOUDFLARE_ACCOUNT_ID")) +
		"/secrets_store/stores/" + url.PathEscape(os.Args[1]) + "/secrets/" + url.PathEscape(os.Args[2])
	req, err := http.NewRequest(http.MethodPatch, address, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("CLOUDFLARE_API_TOKEN"))
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Success bool `json:"success"`
		Result  struct {
			Name string `json:"name"`
		} `json:"result"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || !answer.Success {
		panic(fmt.Sprint(resp.Status, err))
	}
	fmt.Println(answer.Result.Name)
}
