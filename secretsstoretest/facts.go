package secretsstoretest

// A Fact is a statement about the API that the emulator implements, and that a program can
// check against a real account.
type Fact struct {
	// ID is stable, in kebab case.
	ID        string
	Statement string
	Basis     Basis
}

// Basis says why the emulator implements a [Fact].
type Basis string

const (
	// Documented facts are in Cloudflare's API reference or its OpenAPI definition.
	Documented Basis = "documented"
	// Observed facts were seen in responses of the service or in the code of its clients.
	Observed Basis = "observed"
	// Decided facts are neither documented nor observed. The service may differ.
	Decided Basis = "decided"
)

// Facts returns what the emulator assumes about the API, grouped by subject. The caller
// may modify the result.
func Facts() []Fact {
	return []Fact{
		// Responses.
		{"response-is-json-envelope", "A response is a JSON object with success, errors, messages and result, of type application/json.", Documented},
		{"response-has-ray-id", "Every response has a CF-Ray header.", Documented},
		{"response-has-rate-limit", "Every response has the headers Ratelimit and Ratelimit-Policy.", Documented},
		{"failure-result-null", "The result of a failure is null.", Documented},
		{"store-and-quota-have-result-info", "Responses with one store or the quota have a result_info.", Documented},
		{"secret-has-no-result-info", "Responses with one secret have no result_info.", Documented},
		{"time-has-microseconds", "Times are RFC 3339 in UTC, with six decimals.", Documented},

		// Routing.
		{"uuid-is-routed", "An id in the form of a UUID is routed, and is not found if it does not exist.", Observed},
		{"invalid-id-7003", "A store or secret id with other characters than letters, digits, - and _ has codes 7003 and 7000.", Observed},
		{"invalid-account-id-7003", "An account id that cannot be one has code 7003 on every operation.", Observed},
		{"invalid-id-status-400", "An invalid id has status 400.", Decided},
		{"long-id-7003", "An id of more than 36 characters has code 7003.", Decided},
		{"missing-id-1000", "A path without its store or secret id has code 1000, not found.", Observed},
		{"missing-id-status-404", "A path without its store or secret id has status 404.", Decided},
		{"unknown-path-7003", "A path without an operation has codes 7003 and 7000, and status 404.", Observed},
		{"unsupported-method-10405", "A method that a path does not support has status 405 and code 10405.", Observed},
		{"duplicate-leading-slash-accepted", "A path that starts with //accounts is accepted.", Decided},

		// Authentication.
		{"token-accepted", "An API token is accepted as Authorization: Bearer.", Documented},
		{"key-accepted", "X-Auth-Email and X-Auth-Key are accepted.", Documented},
		{"email-ignores-case", "X-Auth-Email is compared without case.", Decided},
		{"token-precedes-key", "Authorization takes precedence over X-Auth-Key.", Decided},
		{"missing-credentials-9106", "A request without credentials has code 9106.", Observed},
		{"missing-email-9106", "X-Auth-Key without X-Auth-Email has code 9106.", Observed},
		{"missing-key-9107", "X-Auth-Email without X-Auth-Key has code 9107.", Observed},
		{"unknown-key-9103", "An unknown email or key has code 9103.", Observed},
		{"credential-error-status-400", "Codes 9103, 9106 and 9107 have status 400.", Decided},
		{"malformed-token-6003", "A malformed Authorization header has code 6003 with 6111 in its chain.", Observed},
		{"global-key-as-token-6003", "A global key that is sent as a token has code 6003 with 6111 in its chain.", Observed},
		{"malformed-email-6003", "A malformed X-Auth-Email has code 6003 with 6102 in its chain.", Observed},
		{"malformed-key-6003", "A malformed X-Auth-Key has code 6003 with 6103 in its chain.", Observed},
		{"unknown-token-10000", "An unknown token has code 10000.", Observed},
		{"unknown-token-status-401", "An unknown token has status 401.", Decided},
		{"rolled-token-10000", "The old value of a rolled token has the same error as an unknown token.", Decided},
		{"read-token-cannot-write", "A token with Secrets Store Read gets status 403 and code 10000 for a write.", Observed},
		{"other-account-9109", "An account that a token has no permission for has status 403 and code 9109.", Observed},
		{"credentials-before-route", "Credentials are checked before the path.", Decided},
		{"verify-token", "GET /user/tokens/verify reports a valid token, and 1000 Invalid API Token for others.", Observed},

		// Stores.
		{"store-created-and-listed", "A created store has an id and its name, and is listed.", Documented},
		{"store-fields", "A store has id, account_id, name, created and modified.", Documented},
		{"store-limit", "An account beyond its number of stores has code 1003, maximum_stores_exceeded.", Observed},
		{"store-limit-before-name", "Exceeding the number of stores is reported before a taken name.", Decided},
		{"store-name-unique", "A taken store name has code 1003, store_name_already_exists.", Decided},
		{"store-name-required", "An empty store name has code 1001, store_name_empty.", Decided},
		{"store-not-found", "An unknown store has status 404 and code 1001, store_not_found.", Observed},
		{"store-not-found-before-body", "store_not_found is reported before invalid_json_body.", Observed},
		{"store-not-empty-409", "Deleting a store with secrets has status 409 and store_not_empty.", Documented},
		{"store-not-empty-1003", "store_not_empty has code 1003.", Decided},
		{"store-delete-force", "force=true deletes a store with its secrets.", Documented},
		{"store-delete-status-200", "Deleting a store has status 200 and a null result.", Documented},
		{"quota-counts-account", "The quota counts the secrets in all stores of the account.", Documented},

		// Secrets.
		{"secret-fields", "A secret has id, created, modified, name, status, store_id and scopes.", Documented},
		{"secret-comment-omitted", "An empty comment is omitted.", Decided},
		{"secret-not-found", "An unknown secret has status 404 and code 1001, secret_not_found.", Observed},
		{"secret-pending-after-create", "A created or duplicated secret is pending at first.", Observed},
		{"value-never-returned", "No response contains the value of a secret.", Documented},
		{"value-patch-makes-pending", "A patch with a value makes a secret pending.", Decided},
		{"value-limit-65536", "A value of more than 65,536 bytes is secret_value_too_long.", Documented},
		{"value-required", "A missing or empty value is secret_value_empty.", Decided},
		{"name-required", "A missing or empty name is secret_name_empty.", Observed},
		{"name-characters", "A name with other characters than letters, digits, - and _ is secret_name_invalid.", Decided},
		{"name-unique-in-store", "A taken secret name has code 1003, secret_name_already_exists.", Observed},
		{"name-taken-status-400", "A taken secret name has status 400.", Decided},
		{"name-in-message-of-bulk-create", "A taken name is part of the message if several secrets are created.", Decided},
		{"name-taken-before-quota", "A taken secret name is reported before the number of secrets.", Decided},
		{"name-held-after-delete", "The name of a deleted secret may stay taken for about 30 seconds.", Observed},
		{"name-not-patched", "A patch ignores the name.", Decided},
		{"scopes-required", "Missing or empty scopes are secret_scopes_empty, also in a patch.", Observed},
		{"scope-known", "An unknown scope is secret_scope_invalid.", Observed},
		{"scopes-sorted", "Scopes are returned sorted, without duplicates.", Observed},
		{"secret-limit", "An account beyond its number of secrets has code 1003, maximum_secrets_exceeded: max N.", Observed},
		{"secret-patch-partial", "A patch leaves absent fields unchanged.", Documented},
		{"secret-patch-empty", "A patch without fields changes nothing, not even modified.", Decided},
		{"null-is-absent", "A field that is null counts as absent.", Decided},
		{"unknown-field-ignored", "Unknown fields of a body are ignored.", Decided},
		{"duplicate-keeps-value", "A duplicate has the value of the original.", Documented},
		{"duplicate-without-comment", "A duplicate does not take over the comment.", Decided},
		{"bulk-create-atomic", "If one of several secrets is invalid, none is created.", Decided},
		{"invalid-json-1001", "A body that is not the expected JSON has code 1001, invalid_json_body.", Observed},
		{"empty-list-invalid", "An empty list of secrets or ids is invalid_json_body.", Decided},
		{"content-type-ignored", "A JSON body is accepted with any content type.", Observed},

		// Deletes.
		{"delete-status-202", "Deleting a secret has status 202 and a null result.", Documented},
		{"bulk-delete-status-202", "Deleting several secrets has status 202 and a null result.", Documented},
		{"bulk-delete-atomic", "If one of several ids is unknown, nothing is deleted.", Decided},
		{"deleted-secret-listed", "A deleted secret may stay listed with status deleted, beside a newer one of the same name.", Observed},
		{"deleted-secret-not-writable", "A secret with status deleted can be read but not changed.", Decided},

		// Lists.
		{"per-page-default-20", "A page has 20 results by default.", Documented},
		{"per-page-over-100-rejected", "per_page above 100 has code 1001, invalid_per_page_parameter.", Observed},
		{"page-invalid", "A page that is not a number from 0 is invalid_page_parameter.", Decided},
		{"page-zero-is-default", "page=0 and per_page=0 count as absent.", Decided},
		{"page-past-end-empty", "A page past the last one is an empty list.", Observed},
		{"order-default-created-desc", "Lists are sorted by created, descending, by default.", Documented},
		{"order-by-field", "order and direction sort the list.", Documented},
		{"order-invalid", "An unknown order or direction is invalid_order_parameter or invalid_direction_parameter.", Decided},
		{"search-name-and-comment", "search matches parts of the name and of the comment.", Documented},
		{"search-ignores-case", "search ignores case.", Decided},
		{"scopes-filter-comma", "scopes is a list with commas.", Documented},
		{"scopes-filter-repeated", "scopes may be repeated.", Observed},
		{"scopes-filter-all", "A secret matches if it has all of the scopes.", Decided},
		{"total-count-ignores-search", "total_count and total_pages count all secrets of the store, whatever is searched.", Documented},

		// Rate limit.
		{"rate-limited-429", "A request beyond the rate limit has status 429, code 971 and Retry-After.", Observed},
		{"rate-limit-per-token", "Each token, and each user with a key, has a rate limit of its own.", Decided},
		{"rate-limited-not-applied", "A request with status 429 is not applied and not counted.", Decided},
	}
}
