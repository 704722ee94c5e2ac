// Package secretsstoreotel traces and measures the calls of a [secretsstore.Client] with
// OpenTelemetry.
//
//	client, err := secretsstore.NewClient(secretsstore.WithHooks(secretsstoreotel.Hooks()))
//
// It depends on the OpenTelemetry API only. If the program sets up no SDK, nothing is
// recorded.
//
// # Spans
//
// Each call has a span of kind client, named by its method and route, such as
// "PATCH /accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}", or by
// the method alone for [secretsstore.Client.Do]. It includes all waits. Attributes: http.request.method, url.template,
// http.response.status_code of the last response, secretsstore.attempts and, if the call
// failed, error.type.
//
// Each attempt is a child span of kind client, which follows the semantic conventions of
// HTTP with three exceptions. Its name is the method alone, so that statistics by name
// separate attempts from calls, except those of Do. It has no url.full, which would contain ids. The hooks do not
// know the server: add server.address and server.port with [WithAttributes]. Attributes:
// http.request.method, url.template, http.response.status_code, http.request.resend_count of
// a retry, secretsstore.wait.duration (seconds waited before the attempt; omitted if 0), and
// error.type.
//
// Do not trace the transport of the client too, for example with otelhttp. It records URLs,
// which contain ids.
//
// # Metrics
//
//	secretsstore.call.duration         histogram, s          calls, with their waits
//	http.client.request.duration       histogram, s          attempts
//	secretsstore.wait.duration         histogram, s          waits before attempts
//	secretsstore.retries               counter, {retry}      attempts after the first
//	secretsstore.rate_limit.remaining  gauge, {request}      requests remaining, per the last response
//
// All but the last have the attributes http.request.method and url.template. The first two
// also have http.response.status_code and error.type.
//
// # Privacy
//
// No span and no metric contains an id, a name, a secret value, a URL or the text of an
// error. The error.type of a call is a fixed word for the error that it matches, such as
// rate_limited for [secretsstore.ErrRateLimited], or else the status. The error.type of an
// attempt is its status if that is 400 or more, or a fixed word if no complete response was
// received. A call of [secretsstore.Client.Do]
// has no route, because its path may contain ids.
package secretsstoreotel
