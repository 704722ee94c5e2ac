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
// [Server.Stores], [Server.Secrets], [Server.Value] and [Server.Requests].
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
// [Server.Inject] changes what happens to selected requests: they get another response, a
// delay, or a dropped connection. [EdgeJSON], [EdgeHTML], [EdgeText] and
// [PropagatingToken] return ready-made faults. Options simulate the behavior of the service
// itself: rate limits ([WithRateLimit], [Server.UseRequests]), secrets that stay pending
// ([WithPendingFor]), and after a delete names that stay in use ([WithNameHeldFor]) and
// secrets that stay listed ([WithDeletedListedFor]).
//
// # Fidelity
//
// [Facts] lists what the emulator assumes about the service: what Cloudflare documents,
// what has been observed, and what was decided here because nothing is known. Programs
// should not depend on facts whose basis is [Decided].
//
// Ids are derived from a counter. Therefore, requests that are sent one after the other
// inside a synctest bubble always receive the same responses if [WithAccountID] is set.
package secretsstoretest
