package secretsstoreotel

import (
	"context"
	"errors"
	"strconv"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed-57d84f87/secretsstore-go"
)

// errorTypes are values of error.type. The first one that an error matches counts.
var errorTypes = []struct {
	err  error
	name string
}{
	{secretsstore.ErrAttemptTimeout, "attempt_timeout"},
	{secretsstore.ErrNoCredentials, "no_credentials"},
	{secretsstore.ErrInvalidArgument, "invalid_argument"},
	{secretsstore.ErrRateLimited, "rate_limited"},
	{secretsstore.ErrUnauthorized, "unauthorized"},
	{secretsstore.ErrForbidden, "forbidden"},
	{secretsstore.ErrSecretNotFound, "secret_not_found"},
	{secretsstore.ErrStoreNotFound, "store_not_found"},
	{secretsstore.ErrNotFound, "not_found"},
	{secretsstore.ErrAlreadyExists, "already_exists"},
	{secretsstore.ErrStoreNotEmpty, "store_not_empty"},
	{secretsstore.ErrQuotaExceeded, "quota_exceeded"},
	{secretsstore.ErrConflict, "conflict"},
	{secretsstore.ErrInvalidRequest, "invalid_request"},
	{secretsstore.ErrServer, "server_error"},
	{secretsstore.ErrResponseTooLarge, "response_too_large"},
	{secretsstore.ErrInvalidResponse, "invalid_response"},
}

// errorType returns the error.type of a call or an attempt that failed with err. It never
// returns text of the error.
func errorType(ctx context.Context, err error) string {
	if errors.Is(err, secretsstore.ErrOutcomeUnknown) {
		return "outcome_unknown" // the attempts show the cause
	}
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		if ended == context.Canceled {
			return "canceled"
		}
		return "deadline_exceeded"
	}
	for _, known := range errorTypes {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	var apiErr *secretsstore.APIError
	if errors.As(err, &apiErr) {
		return strconv.Itoa(apiErr.StatusCode)
	}
	if errors.As(err, new(*secretsstore.RequestError)) {
		return "no_response"
	}
	return semconv.ErrorTypeOther.Value.AsString()
}
