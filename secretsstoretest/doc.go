// Package secretsstoretest is a Secrets Store in memory, for the tests of programs
// that use Cloudflare's. It answers all operations of the API as the service does, to
// package secretsstore and to any other client that can be given a base URL.
//
//	srv := secretsstoretest.NewServer()
//	defer srv.Close()
//	store := srv.AddStore("production")
//	client := srv.Client()
//
// A [Server] is empty at first: one account, no store. What there is to begin with is
// added from Go ([Server.AddStore], [Server.AddSecret], [Server.AddAccount],
// [Server.AddToken]), and what a program has done is looked at from Go
// ([Server.Stores], [Server.Secrets], [Server.Requests], and [Server.Value], since the
// API itself never tells a value).
//
// # Without a network
//
// [Server.Transport] is the same server as an [net/http.RoundTripper] that uses no
// socket. It is faster, and it works in a bubble of testing/synctest, where the server's
// time, rate limit and latencies are those of the bubble. [WithoutListener] leaves the
// port away.
//
// # What goes wrong
//
// [Server.Inject] has chosen requests fail as they do in production: with a status, late,
// on a connection that is cut before the request was taken, after it, or in the middle of
// the answer, or with a redirect. [WithRateLimit] enforces a limit. All faults look the same over
// a socket and over Transport.
//
// # Reproducible
//
// With [WithClock] and [WithIDSource], and requests that come one after the other, all
// answers are the same each time, byte for byte, but for the id that [OpVerifyToken] tells.
//
// # What is known and what is inferred
//
// Paths, fields, envelopes, headers, success statuses, and the words secret_not_found,
// store_not_found, secret_name_empty, secret_scopes_empty, secret_scope_invalid,
// secret_value_too_long, invalid_json_body, invalid_per_page_parameter,
// secret_name_already_exists, maximum_stores_exceeded and store_not_empty, the codes and
// texts of authentication and of the rate limit, are Cloudflare's. The following was
// decided here, where neither the documentation nor other clients tell; don't build on it.
//
//   - Statuses: 400 for a taken name, 401 for an unknown token, 403 for one that may only
//     read or is for another account, 404 for a path that leads nowhere, and 400 for an
//     identifier of the wrong shape, both with 7003. The code of store_not_empty is 1003.
//   - Words: secret_name_invalid, secret_value_empty, store_name_empty,
//     store_name_already_exists, invalid_page_parameter, invalid_order_parameter,
//     invalid_direction_parameter, request_body_too_large (413, past 16 MiB), and
//     7001 with 405 for a method that a path doesn't have.
//   - A taken name is said as the word alone where one secret was asked for, and as
//     "secret_name_already_exists: NAME" where there were several. Both have been seen.
//   - Too many secrets are maximum_stores_exceeded too. A taken secret name is said before
//     the quota, a full quota of stores before a taken store name.
//   - A new secret, a copy, and one that was patched with a value are pending; see
//     [WithPendingFor]. A patch ignores the name and all fields it doesn't know, takes null
//     for absent, refuses an empty list of scopes and an empty value, and without any
//     field changes nothing, also not the time of modification.
//   - A value is measured in bytes, and a body that is not valid UTF-8 is no JSON.
//   - Making several secrets, and deleting several, happens to all of them or to none. An
//     unknown id among those to be deleted is secret_not_found. No ids, and no secrets, are
//     invalid_json_body.
//   - A deleted secret is gone at once. A copy without a comment has none. A secret without
//     a comment is shown without that field; scopes are always a list.
//   - Lists are in descending order of creation, and where that is equal, and in both
//     directions, in the order of the ids. A page or per_page of 0 is as if it was
//     absent. search takes no notice of case. A filter by scopes wants all of them.
//     total_count and total_pages count what the filter lets through.
//   - The answers with one store, and with the quota, have a result_info, as their
//     definition allows; those with one secret have none.
//   - Authorization wins over X-Auth-Key. Users with a key have a rate limit of their own.
//     Requests without valid credentials are not counted, and those that go nowhere are.
//   - CF-Ray counts up.
package secretsstoretest
