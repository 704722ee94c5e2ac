// A program that changes the comment of a secret with net/http and encoding/json.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"net/http"
	"os"
)

func main() {
	body, err := json.Marshal(map[string]string{"comment": "rotated"})
	if err != nil {
		log.Fatal(err)
	}
	url := "https://api.cloudflare.com/client/v4/accounts/" + os.Getenv("CLOUDFLARE_ACCOUNT_ID") + "/secrets_store/stores/STORE_ID/secrets/SECRET_ID"
	req, err := http.NewRequest(http.MethodPatch, url, bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("CLOUDFLARE_API_TOKEN"))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var envelope struct {
		Success bool                      `json:"success"`
		Result  struct{ ID, Name string } `json:"result"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&envelope); err != nil {
		log.Fatal(err)
	}
	if !envelope.Success {
		log.Fatal(resp.Status)
	}
	log.Println(envelope.Result.Name)
}
