package secretsstoretest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// EdgeJSON returns a fault with the JSON error of Cloudflare's edge, which has a different
// shape from the API's own errors. code is one of Cloudflare's 1xxx codes, for example
// 1016 with status 530. The fault has a Retry-After header if the edge sends one for code.
func EdgeJSON(status, code int) Fault {
	retryAfter := map[int]int{1004: 120, 1005: 120, 1015: 30, 1033: 120, 1038: 60, 1200: 60, 1205: 5}[code]
	f := Fault{Status: status, Body: fmt.Sprintf(`{"error_code":%d,"error_name":"error_%d","detail":"Error %d.",`+
		`"owner_action_required":%t,"retryable":%t}`, code, code, code, retryAfter == 0, retryAfter > 0)}
	if retryAfter > 0 {
		f.Header = http.Header{"Retry-After": {strconv.Itoa(retryAfter)}}
	}
	return f
}

// EdgeHTML returns a fault with an HTML page of Cloudflare's edge, as clients receive it
// with status 502 or 520.
func EdgeHTML(status int) Fault {
	text := fmt.Sprint(status) + ": " + http.StatusText(status)
	return Fault{Status: status, Body: "<!DOCTYPE html>\n<html><head><title>api.cloudflare.com | " + text +
		"</title></head><body><h1>Error " + fmt.Sprint(status) + "</h1></body></html>\n"}
}

// EdgeText returns a fault with a plain text error of Cloudflare's edge, for example
// "error code: 502".
func EdgeText(status int) Fault {
	return Fault{Status: status, Body: fmt.Sprintf("error code: %d", status)}
}

// PropagatingToken returns a fault that refuses about half of the requests with a token,
// as the API does while a new token propagates. Remove it to end the propagation.
func PropagatingToken(token string) Fault {
	return Fault{
		Match: func(r *http.Request) bool {
			_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			return sent == token
		},
		Probability: 0.5,
		Status:      http.StatusUnauthorized,
		Body:        ErrorBody(10001, "Unable to authenticate request"),
	}
}
