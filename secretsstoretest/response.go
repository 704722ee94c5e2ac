package secretsstoretest

import (
	"maps"
	"net/http"
	"strconv"
)

// response is an HTTP response, or the lack of one.
type response struct {
	status   int
	header   http.Header
	body     []byte
	withheld int  // bytes at the end of the body that are not sent
	dropped  bool // no response: the connection is dropped
}

// write sends the response. It panics with http.ErrAbortHandler to drop the connection.
func (res response) write(w http.ResponseWriter) {
	if res.dropped {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), res.header)
	if res.status != http.StatusNoContent && res.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(res.body)))
	} else {
		res.body, res.withheld = nil, 0
	}
	w.WriteHeader(res.status)
	_, _ = w.Write(res.body[:len(res.body)-res.withheld])
	if res.withheld > 0 {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
