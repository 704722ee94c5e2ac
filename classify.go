package secretsstore

import (
	"net/http"
	"strings"
)

// classify returns the sentinels that a response matches: those of its errors if any is
// known, otherwise those of its status.
func classify(status int, details []Detail) (sentinels []error) {
	switch {
	case status >= 500:
		return []error{ErrServer}
	case status == http.StatusTooManyRequests:
		return []error{ErrRateLimited}
	}
	for i := range details {
		sentinels = append(sentinels, details[i].sentinels(status)...)
	}
	if sentinels != nil {
		return sentinels
	}
	switch {
	case status == http.StatusUnauthorized:
		return []error{ErrUnauthorized}
	case status == http.StatusForbidden:
		return []error{ErrForbidden}
	case status == http.StatusConflict:
		return []error{ErrConflict}
	case status == http.StatusNotFound && len(details) > 0: // without errors it is a gateway's page
		return []error{ErrNotFound}
	case status == http.StatusRequestTimeout:
		return nil
	case status/100 == 4:
		return []error{ErrInvalidRequest}
	}
	return nil
}

// sentinels returns those of an error of the API, nil if it is unknown. The word in the
// message decides, then the code, then the errors in its chain.
func (d *Detail) sentinels(status int) []error {
	if known := sentinelsOfWord(d.Message); known != nil {
		return known
	}
	if known := sentinelsOfCode(d.Code, d.Message, status); known != nil {
		return known
	}
	for i := range d.Chain {
		if known := d.Chain[i].sentinels(status); known != nil {
			return known
		}
	}
	return nil
}

func sentinelsOfWord(message string) []error {
	word := message
	if i := strings.IndexAny(message, ": "); i >= 0 {
		word = message[:i]
	}
	switch word {
	case "secret_not_found":
		return []error{ErrSecretNotFound, ErrNotFound}
	case "store_not_found":
		return []error{ErrStoreNotFound, ErrNotFound}
	case "secret_name_already_exists", "store_name_already_exists":
		return []error{ErrAlreadyExists}
	case "store_not_empty":
		return []error{ErrStoreNotEmpty}
	case "maximum_stores_exceeded", "maximum_secrets_exceeded":
		return []error{ErrQuotaExceeded}
	case "secret_name_empty", "secret_scopes_empty", "secret_scope_invalid", "secret_value_too_long",
		"invalid_json_body", "invalid_per_page_parameter":
		return []error{ErrInvalidRequest}
	}
	return nil
}

func sentinelsOfCode(code int, message string, status int) []error {
	switch code {
	case 1000:
		if message == "not found" { // an id is missing in the path
			return []error{ErrInvalidRequest}
		}
	case 1001:
		if strings.HasPrefix(message, `Missing "Authorization"`) {
			return []error{ErrUnauthorized}
		}
	case 10000, 10001:
		if status == http.StatusForbidden {
			return []error{ErrForbidden}
		}
		return []error{ErrUnauthorized}
	case 9103, 9106, 9107, 6003, 6102, 6103, 6111:
		return []error{ErrUnauthorized}
	case 9109:
		return []error{ErrForbidden}
	case 7000, 7003:
		return []error{ErrInvalidRequest}
	case 971, 10100, 10300, 10429:
		return []error{ErrRateLimited}
	}
	return nil
}
