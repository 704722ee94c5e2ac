// Package secretsstore is a client for Cloudflare's Secrets Store: the secrets of
// an account that Workers, AI Gateway and other services use.
//
// A [Client] holds the credentials and calls the API. Its services have one method
// for each operation, [SecretsService.Patch] first among them, and a few that
// combine them: All lists every page, FindByName finds by the exact name, Upsert
// makes or patches, PatchAll patches many, Ensure adopts or makes a store.
//
//	client, err := secretsstore.NewClient() // credentials from the environment
//	secret, resp, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{
//		Comment: secretsstore.Ptr("rotated in May"),
//		Value:   secretsstore.NewSecretValue(value),
//	})
//
// # Errors
//
// An answer that is not a success is an [*APIError]; compare with [errors.Is] and
// [ErrSecretNotFound], [ErrForbidden], [ErrRateLimited] and the others. Arguments
// that can't be right are [ErrInvalidArgument], and nothing is sent. A creation
// that may or may not have been done is [ErrOutcomeUnknown].
//
// # Retries and limits
//
// Calls that are safe to repeat are tried up to 4 times, with waits that grow and
// that obey the API; see [RetryPolicy]. The client slows down by itself before the
// API's rate limit is reached, for all goroutines that share it.
//
// # Secrets
//
// Values and credentials print as [REDACTED] everywhere but on the wire; see
// [SecretValue]. Redirects are never followed, plain http goes to this machine
// only, and no id can change the path of a request.
//
// # Testing
//
// Package secretsstoretest is a Secrets Store in memory, to be put behind the tests
// of programs that use this one.
//
// API reference: https://developers.cloudflare.com/api/resources/secrets_store/
package secretsstore
