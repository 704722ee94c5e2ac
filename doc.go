// Package secretsstore is a client for the Cloudflare Secrets Store API. The Secrets
// Store keeps account-level secrets for Workers, AI Gateway and other services.
//
// A [Client] holds the base URL, the credentials, the rate-limit state and the retry
// budget. Its services have one method for each operation of the API, and a few that
// combine operations:
//
//	client, err := secretsstore.NewClient() // credentials from the environment
//	if err != nil {
//		return err
//	}
//	secret, _, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{
//		Comment: secretsstore.Ptr("rotated in May"),
//		Value:   secretsstore.NewSecretValue(value),
//	})
//
// # Errors
//
// A response that is not a success is an [*APIError]:
//
//	var apiErr *secretsstore.APIError
//	if errors.As(err, &apiErr) {
//		log.Printf("status %d, ray %s", apiErr.StatusCode, apiErr.RayID)
//	}
//
// Use [errors.Is] with [ErrSecretNotFound], [ErrForbidden], [ErrRateLimited] and the
// other sentinels to find out which error it is. An invalid argument is an
// [*ArgumentError], and nothing is sent. A call without a response is a
// [*RequestError]. A successful response that cannot be decoded is a [*ResponseError].
// A write that failed but may have been applied matches [ErrOutcomeUnknown].
// [Retryable] reports whether repeating a call later may succeed.
//
// # Retries and rate limits
//
// Idempotent calls are retried with exponential backoff and full jitter; see
// [RetryPolicy]. The client reads the API's rate-limit headers. It holds requests back
// while none remain, and after a 429 until its Retry-After has passed. All goroutines
// that share a client share this state.
//
// # Secrets
//
// Values and credentials never appear in errors, logs, JSON or the output of package
// fmt; see [SecretValue]. Redirects are never followed. Plain http is allowed for
// loopback addresses only.
//
// # Testing
//
// Package secretsstoretest emulates the service in memory.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/
package secretsstore
