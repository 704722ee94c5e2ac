package conformance

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

// A handwrittenClient is what the benchmarks compare with: careful code for two calls with
// net/http and encoding/json. It has a timeout, a limit on the response and a check of the
// envelope. It neither retries nor observes the rate limit.
type handwrittenClient struct {
	baseURL, token, accountID string
	http                      *http.Client
}

type handwrittenSecret struct {
	ID       string    `json:"id"`
	StoreID  string    `json:"store_id"`
	Name     string    `json:"name"`
	Comment  string    `json:"comment"`
	Scopes   []string  `json:"scopes"`
	Status   string    `json:"status"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

type handwrittenPatch struct {
	Comment *string  `json:"comment,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Value   *string  `json:"value,omitempty"`
}

type handwrittenDetail struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type handwrittenEnvelope[T any] struct {
	Success    bool                `json:"success"`
	Errors     []handwrittenDetail `json:"errors"`
	Messages   []handwrittenDetail `json:"messages"`
	Result     T                   `json:"result"`
	ResultInfo *struct {
		Count      int `json:"count"`
		Page       int `json:"page"`
		PerPage    int `json:"per_page"`
		TotalCount int `json:"total_count"`
	} `json:"result_info"`
}

func handwrittenCall[T any](ctx context.Context, c *handwrittenClient, method, path string, body any) (result T, err error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return result, err
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.baseURL+"/accounts/"+url.PathEscape(c.accountID)+"/secrets_store"+path, reader)
	if err != nil {
		return result, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "handwritten/1.0")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return result, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return result, err
	}
	var env handwrittenEnvelope[T]
	if err := json.Unmarshal(b, &env); err != nil {
		return result, fmt.Errorf("%s: status %d: %w", path, resp.StatusCode, err)
	}
	if resp.StatusCode/100 != 2 || !env.Success {
		return result, fmt.Errorf("%s: status %d: %+v", path, resp.StatusCode, env.Errors)
	}
	return env.Result, nil
}

func (c *handwrittenClient) patchSecret(ctx context.Context, storeID, secretID string, patch handwrittenPatch) (*handwrittenSecret, error) {
	path := "/stores/" + url.PathEscape(storeID) + "/secrets/" + url.PathEscape(secretID)
	return handwrittenCall[*handwrittenSecret](ctx, c, http.MethodPatch, path, patch)
}

func (c *handwrittenClient) listSecrets(ctx context.Context, storeID string, page, perPage int) ([]*handwrittenSecret, error) {
	path := "/stores/" + url.PathEscape(storeID) + "/secrets?page=" + strconv.Itoa(page) + "&per_page=" + strconv.Itoa(perPage)
	return handwrittenCall[[]*handwrittenSecret](ctx, c, http.MethodGet, path, nil)
}
