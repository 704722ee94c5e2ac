package secretsstore

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// decode decodes the envelope of each response and calls OnResponse. A response that is
// not a success is an *APIError, and a success that cannot be decoded a *ResponseError.
func decode(next handler) handler {
	return func(ctx context.Context, c *call) (*Response, error) {
		resp, err := next(ctx, c)
		if resp == nil {
			return nil, err
		}
		err = c.decode(resp, err)
		for _, f := range c.options.onResponse {
			f(resp)
		}
		return resp, err
	}
}

// decode decodes the body of resp. readErr is why it could not be read.
func (c *call) decode(resp *Response, readErr error) error {
	into, isSuccess := c.result, resp.StatusCode/100 == 2
	if !isSuccess {
		into = new(noResult) // a later attempt decodes into an untouched result
	}
	c.result.reset() // it can hold what an earlier attempt received
	into.reset()
	err := readErr
	if err == nil {
		err = checkSize(resp.Body)
	}
	isEmpty := isEmptyBody(resp.Body)
	if err == nil && !isEmpty {
		err = unmarshalEnvelope(resp.Body, into)
	}
	info := into.info()
	resp.Errors, resp.Messages, resp.ResultInfo = info.Errors, info.Messages, info.ResultInfo.ResultInfo
	if !isSuccess || info.Success != nil && !*info.Success && (err == nil || isFailure(resp.Body)) {
		return c.newAPIError(resp)
	}
	c.cleanDetails(resp.Errors)
	c.cleanDetails(resp.Messages)
	if err == nil {
		err = checkSuccess(into, isEmpty)
	}
	if err != nil {
		return c.newResponseError(resp, err)
	}
	return nil
}

// isFailure reports whether a body has success:false and only its result has another type
// than expected. If success itself has another type, encoding/json sets it to false too.
func isFailure(body []byte) bool { return unmarshal(body, new(noResult)) == nil }

func unmarshalEnvelope(body []byte, into payload) error {
	err := unmarshal(body, into)
	if again, ok := into.(interface{ unmarshalLenient([]byte) error }); err != nil && ok {
		into.reset()
		if again.unmarshalLenient(body) == nil { // otherwise, err has the offset in the body
			err = nil
		}
	}
	if err != nil {
		return invalidResponse(err)
	}
	return nil
}

// checkSuccess checks the envelope of a 2xx.
func checkSuccess(env payload, isEmpty bool) error {
	switch {
	case isEmpty && !env.required():
		return nil
	case isEmpty:
		return invalidResponse(errNoResult)
	case env.info().Success == nil:
		return invalidResponse(errors.New("no success field"))
	}
	if err := env.complete(); err != nil {
		return invalidResponse(err)
	}
	return nil
}

func isEmptyBody(b []byte) bool {
	return len(b) < 64 && (len(bytes.TrimSpace(b)) == 0 || string(bytes.TrimSpace(b)) == "null")
}

func (c *call) newAPIError(resp *Response) *APIError {
	e := &APIError{
		StatusCode: resp.StatusCode, Errors: resp.Errors, Messages: resp.Messages,
		Method: c.op.method, Path: c.path, RayID: resp.RayID, RateLimit: resp.RateLimit, Attempts: c.attempt,
		RetryAfter: ratelimit.RetryAfter(resp.Header, time.Now()),
		classified: true, sentinels: classify(resp.StatusCode, resp.Errors),
	}
	c.cleanDetails(e.Errors)
	c.cleanDetails(e.Messages)
	if len(e.Errors) == 0 {
		e.Body = c.clean(string(resp.Body), maxBody)
	}
	return e
}

func (c *call) newResponseError(resp *Response, err error) *ResponseError {
	return &ResponseError{
		StatusCode: resp.StatusCode, Method: c.op.method, Path: c.path, RayID: resp.RayID, Attempts: c.attempt,
		ContentType: c.clean(resp.Header.Get("Content-Type"), maxHeaderText),
		Body:        c.clean(string(resp.Body), maxBody),
		Err:         err,
	}
}

// cleanDetails makes the texts of list safe to show.
func (c *call) cleanDetails(list []Detail) {
	for i := range list {
		d := &list[i]
		for _, s := range []*string{&d.Message, &d.DocumentationURL, &d.Source.Pointer} {
			*s = c.clean(*s, maxText)
		}
		c.cleanDetails(d.Chain)
	}
}
