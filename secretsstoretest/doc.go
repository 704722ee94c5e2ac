// Package secretsstoretest emulates Cloudflare's Secrets Store API in memory, for
// testing programs that use it. It serves all operations of the API to package
// secretsstore and to any other client whose base URL can be set.
//
//	srv := secretsstoretest.NewServer()
//	defer srv.Close()
//	store := srv.AddStore("production")
//	client := srv.Client()
//
// A new [Server] has one account, without stores. Tests add data with
// [Server.AddStore] and [Server.AddSecret], further accounts and tokens with
// [Server.AddAccount] and [Server.AddToken], and inspect the outcome with
// [Server.Stores], [Server.Secrets], [Server.Value] and [Server.Requests]. The API
// itself never returns a value.
//
// # Without a network
//
// [Server.Transport] returns a [net/http.RoundTripper] that calls the server directly.
// It uses no sockets and starts no goroutines, so it also works inside a testing/synctest
// bubble, where the server's time is the bubble's time. Pass [WithoutListener] there: an
// open listener keeps the bubble's clock from advancing.
//
// # Failures
//
// [Server.Inject] makes chosen requests fail: with another response, after a delay, or on
// a dropped connection. [EdgeJSON], [EdgeHTML], [EdgeText] and [PropagatingToken] return
// ready-made faults. Options rehearse the behavior of the service itself: rate limits
// ([WithRateLimit], [Server.UseRequests]), secrets that stay pending ([WithPendingFor]),
// and names that stay taken after a delete ([WithNameHeldFor], [WithDeletedListedFor]).
//
// # Fidelity
//
// [Facts] lists what the emulator assumes about the service: what Cloudflare documents,
// what has been observed, and what was decided here because nothing is known. Programs
// should not depend on facts whose basis is [Decided].
//
// Ids are derived from a counter. Requests that are sent one after the other inside a
// synctest bubble therefore always receive the same responses.
package secretsstoretest
