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
// [*ArgumentError], and nothing is sent. A failure without a response is a
// [*RequestError]. A successful response that cannot be decoded is a [*ResponseError].
// A write that failed but may have been applied matches [ErrOutcomeUnknown].
// [Retryable] reports whether repeating a call later may succeed.
//
// # Retries and rate limits
//
// A call is one operation of the API, including its retries. Each request that it sends is
// an attempt. All, FindByName, Upsert, Ensure, WaitActive and PatchEach make several calls.
//
// A call is retried, with exponential backoff and full jitter, if repeating it is safe; see
// [RetryPolicy]. The client reads the API's rate-limit headers. It delays requests while
// the API allows none, and after a 429 until its Retry-After has passed, at most 5 minutes.
// A call that would wait longer than MaxWait, 60 s by default, fails at once. Goroutines that share a client share this state, and so do the clients that
// [Client.With] returns.
//
// # Secrets
//
// Values and credentials are redacted in errors, in log records and in the output of
// packages fmt and encoding/json; see [SecretValue]. Header and Body of a [Response] are
// not redacted. Redirects are never followed. Plain http is allowed for loopback addresses
// only.
//
// # Testing
//
// Package secretsstoretest emulates the service in memory.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/
package secretsstore
