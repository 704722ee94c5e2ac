// Package handwritten is what a careful engineer writes who needs two calls of
// the API and wants no library: net/http and encoding/json, with the checks that
// must not be left out. It is what the benchmarks compare with.
package handwritten

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Client calls the API with a token.
type Client struct {
	BaseURL, Token, AccountID string
	HTTP                      *http.Client
}

// New returns a client with a timeout, over any transport; nil is net/http's own.
func New(baseURL, token, accountID string, rt http.RoundTripper) *Client {
	return &Client{baseURL, token, accountID, &http.Client{Transport: rt, Timeout: 30 * time.Second}}
}

// Secret is a secret as the API describes it.
type Secret struct {
	ID       string    `json:"id"`
	StoreID  string    `json:"store_id"`
	Name     string    `json:"name"`
	Comment  string    `json:"comment"`
	Scopes   []string  `json:"scopes"`
	Status   string    `json:"status"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// Patch is what changes; what is nil stays.
type Patch struct {
	Comment *string  `json:"comment,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Value   *string  `json:"value,omitempty"`
}

// Info says where in a list an answer is.
type Info struct {
	Count      int `json:"count"`
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	TotalCount int `json:"total_count"`
}

// Note is an error or a message of the API.
type Note struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type envelope[T any] struct {
	Success    bool   `json:"success"`
	Errors     []Note `json:"errors"`
	Messages   []Note `json:"messages"`
	Result     T      `json:"result"`
	ResultInfo *Info  `json:"result_info"`
}

const maxBody = 8 << 20

func call[T any](ctx context.Context, c *Client, method, path string, body any) (*envelope[T], error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.BaseURL+"/accounts/"+url.PathEscape(c.AccountID)+"/secrets_store"+path, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "handwritten/1.0")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, err
	}
	var env envelope[T]
	if err := json.Unmarshal(b, &env); err != nil {
		return nil, fmt.Errorf("%s: status %d: %w", path, resp.StatusCode, err)
	}
	if resp.StatusCode/100 != 2 || !env.Success {
		return nil, fmt.Errorf("%s: status %d: %+v", path, resp.StatusCode, env.Errors)
	}
	return &env, nil
}

// PatchSecret changes a secret.
func (c *Client) PatchSecret(ctx context.Context, storeID, secretID string, p Patch) (*Secret, error) {
	path := "/stores/" + url.PathEscape(storeID) + "/secrets/" + url.PathEscape(secretID)
	env, err := call[Secret](ctx, c, http.MethodPatch, path, p)
	if err != nil {
		return nil, err
	}
	return &env.Result, nil
}

// EachSecret calls f with every secret of a store, page by page.
func (c *Client) EachSecret(ctx context.Context, storeID string, f func(*Secret)) error {
	for page := 1; ; page++ {
		path := "/stores/" + url.PathEscape(storeID) + "/secrets?page=" + strconv.Itoa(page) + "&per_page=100"
		env, err := call[[]*Secret](ctx, c, http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		for i := range env.Result {
			f(env.Result[i])
		}
		if len(env.Result) < 100 || env.ResultInfo != nil && page*100 >= env.ResultInfo.TotalCount {
			return nil
		}
	}
}
